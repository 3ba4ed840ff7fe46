// Two languages as flat JSON; Chinese unless the viewer chose otherwise (?lang=en, or the switch).
import en from './en.json';
import zh from './zh-CN.json';

export type Language = 'zh-CN' | 'en';
export type Key = keyof typeof zh;

const kTables: Record<Language, Record<Key, string>> = { 'zh-CN': zh, en };
const kStorageKey = 'kapok.language';

export function translate(language: Language, key: Key, values: Record<string, string | number> = {}): string {
  return kTables[language][key].replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}

export function chosenLanguage(query: string, stored: string | null): Language {
  const wanted = new URLSearchParams(query).get('lang') ?? stored ?? '';
  return wanted.toLowerCase().startsWith('en') ? 'en' : 'zh-CN';
}

export function readStoredLanguage(): string | null {
  try {
    return localStorage.getItem(kStorageKey);
  } catch {
    return null; // storage is switched off in this browser: the default will do
  }
}

export function storeLanguage(language: Language): void {
  try {
    localStorage.setItem(kStorageKey, language);
  } catch {
    // as above: the choice holds for this page only
  }
}

export function formatDuration(language: Language, seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return translate(language, 'duration.seconds', { seconds: whole });
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return translate(language, 'duration.minutes', { minutes });
  return translate(language, 'duration.hours', { hours: Math.floor(minutes / 60), minutes: minutes % 60 });
}

export function formatTime(language: Language, utc_ms: number): string {
  return new Intl.DateTimeFormat(language, {
    timeZone: 'Asia/Shanghai',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    hour12: false,
  }).format(utc_ms);
}
