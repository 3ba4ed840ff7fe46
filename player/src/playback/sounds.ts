// Which sounds a channel or a film has, what they are called, and which one a household wants.
//
// Without a choice of the viewer's the manifest decides (DEFAULT in HLS, the role "main" in DASH: the sound that the
// feed has first), not the browser's languages: a Cantonese programme with a Mandarin dub is to be heard in Cantonese
// by a browser that says zh-CN, and many televisions say en-US whoever sits before them.

/** What Shaka tells of the sound of a variant. */
export interface SoundTrack {
  language: string;
  label: string | null; // NAME in HLS, which DASH has not
  audioRoles: string[] | null; // "main" or "alternate" in DASH
  primary: boolean;
}

export interface Sound {
  id: string; // the same in HLS and in DASH
  language: string; // BCP 47; 'und' where nobody said
  number: number; // of those in this language, from 1
}

const kUnknown = 'und';
const kStorageKey = 'kapok.sound';

/** "audio-2", "audio-zh-2" are the server's names of second sounds, "und-x-2", "zh-x-2" the languages of rungs of them. */
function numberIn(track: SoundTrack): number | null {
  const found = /-x-(\d+)$/.exec(track.language) ?? /^audio(?:-.+)?-(\d+)$/.exec(track.label ?? '');
  return found === null ? null : Number(found[1]);
}

const isMain = (track: SoundTrack): boolean => track.audioRoles?.includes('main') ?? false;

/** Of all tracks, because "alternate" is a second sound only where the language has a main one too. */
export function soundOf(track: SoundTrack, all: readonly SoundTrack[]): Sound {
  const language = track.language.replace(/-x-.*$/, '') || kUnknown;
  const alternate = !isMain(track) && track.audioRoles?.includes('alternate') === true;
  const second = alternate && all.some((other) => other.language === track.language && isMain(other));
  const number = numberIn(track) ?? (second ? 2 : 1);
  return { id: `${language}/${number}`, language, number };
}

/** Each once, whatever codecs and rates it is there in; that of the manifest's choice first. */
export function soundsOf(tracks: readonly SoundTrack[]): Sound[] {
  const found = new Map<string, { sound: Sound; primary: boolean }>();
  for (const track of tracks) {
    const sound = soundOf(track, tracks);
    const primary = track.primary || found.get(sound.id)?.primary === true;
    found.set(sound.id, { sound, primary });
  }
  return [...found.values()]
    .sort((a, b) => Number(b.primary) - Number(a.primary) || (a.sound.id < b.sound.id ? -1 : 1))
    .map(({ sound }) => sound);
}

/** In the reader's language; `numbered` is what a sound is called of which only its number is known. */
export function soundName(sound: Sound, reader: string, numbered: (number: number) => string): string {
  if (sound.language === kUnknown) return numbered(sound.number);
  const name = languageName(sound.language, reader);
  return sound.number > 1 ? `${name} ${sound.number}` : name;
}

function languageName(language: string, reader: string): string {
  try {
    const name = new Intl.DisplayNames([reader], { type: 'language' }).of(language) ?? language;
    // Some languages write names of languages small; in a list of them each begins a line.
    return name.charAt(0).toLocaleUpperCase(reader) + name.slice(1);
  } catch {
    return language; // no Intl.DisplayNames (Safari before 14.1), or no language tag
  }
}

export function readStoredSoundLanguage(): string | null {
  try {
    return localStorage.getItem(kStorageKey);
  } catch {
    return null; // storage is switched off in this browser: the manifest decides
  }
}

/** The language alone: "sound 2" of one channel says nothing of another. */
export function storeSoundLanguage({ language }: Sound): void {
  if (language === kUnknown) return;
  try {
    localStorage.setItem(kStorageKey, language);
  } catch {
    // as above: the choice holds for this page only
  }
}
