// The frame around both pages: header, language, offline banner, and navigation without reloads.
import { useCallback, useEffect, useState } from 'preact/hooks';
import logo from './assets/kapok.svg';
import { chosenLanguage, readStoredLanguage, storeLanguage, translate, type Language } from './i18n';
import { LanguageContext } from './language';
import { FilmPage } from './pages/film';
import { FilmList } from './pages/film_list';
import { LiveList } from './pages/live_list';
import { Watch } from './pages/watch';
import { filmPath, listPath, protocolOf, routeOf, watchPath } from './routes';

function useOnline(): boolean {
  const [online, setOnline] = useState(navigator.onLine);
  useEffect(() => {
    const update = (): void => setOnline(navigator.onLine);
    window.addEventListener('online', update);
    window.addEventListener('offline', update);
    return () => {
      window.removeEventListener('online', update);
      window.removeEventListener('offline', update);
    };
  }, []);
  return online;
}

export function App() {
  const [language, setLanguage] = useState<Language>(() => chosenLanguage(location.search, readStoredLanguage()));
  const [route, setRoute] = useState(() => routeOf(location.pathname, location.search));
  const [watched, setWatched] = useState<string | null>(null);
  const online = useOnline();

  useEffect(() => {
    document.documentElement.lang = language;
    document.title = translate(language, 'app.name');
  }, [language]);

  useEffect(() => {
    const moved = (): void => setRoute(routeOf(location.pathname, location.search));
    window.addEventListener('popstate', moved);
    return () => window.removeEventListener('popstate', moved);
  }, []);

  useEffect(() => {
    if (route.page === 'watch') setWatched(route.channel);
  }, [route]);

  const go = useCallback((path: string) => {
    history.pushState(null, '', path);
    setRoute(routeOf(location.pathname, location.search));
    window.scrollTo(0, 0);
  }, []);

  const switchLanguage = (): void => {
    const next: Language = language === 'en' ? 'zh-CN' : 'en';
    storeLanguage(next);
    setLanguage(next);
  };

  const t = (key: Parameters<typeof translate>[1]): string => translate(language, key);
  const home = listPath(location.search);
  return (
    <LanguageContext.Provider value={language}>
      <a class="skip" href="#main">
        {t('app.skip')}
      </a>
      <header class="header">
        <a
          class="brand"
          href={home}
          onClick={(event) => {
            event.preventDefault();
            go(home);
          }}
        >
          <img src={logo} alt="" width={36} height={36} />
          <span class="brand-name">{t('app.name')}</span>
        </a>
        <span class="tagline">{t('app.tagline')}</span>
        <button type="button" class="quiet" aria-label={t('app.language_label')} onClick={switchLanguage}>
          {t('app.language')}
        </button>
      </header>
      <div class="banner-place" role="status">
        {!online && <p class="banner">{t('app.offline')}</p>}
      </div>
      <main id="main" tabIndex={-1}>
        {route.page === 'list' ? (
          <>
            <LiveList watched={watched} onWatch={(channel) => go(watchPath(channel, location.search))} />
            <FilmList onWatch={(film) => go(filmPath(film, location.search))} />
          </>
        ) : route.page === 'film' ? (
          <FilmPage key={route.film} film={route.film} protocol={protocolOf(location.search)} onBack={() => go(home)} />
        ) : (
          <Watch
            key={route.channel}
            channel={route.channel}
            protocol={protocolOf(location.search)}
            onBack={() => go(home)}
          />
        )}
      </main>
    </LanguageContext.Provider>
  );
}
