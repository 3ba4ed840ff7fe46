// The page's language for every component, without passing it through each of them.
import { createContext } from 'preact';
import { useContext } from 'preact/hooks';
import { translate, type Key, type Language } from './i18n';

export const LanguageContext = createContext<Language>('zh-CN');

export function useText(): (key: Key, values?: Record<string, string | number>) => string {
  const language = useContext(LanguageContext);
  return (key, values) => translate(language, key, values);
}

export const useLanguage = (): Language => useContext(LanguageContext);
