// The films and recordings below the channels. A server without any shows nothing here, and so does one
// that does not answer: the channels' list tells of that.
import { useEffect, useState } from 'preact/hooks';
import { listFilms, type Film } from '../api/client';
import logo from '../assets/kapok.svg';
import { formatDuration } from '../i18n';
import { useLanguage, useText } from '../language';
import { filmPath } from '../routes';

const kRefreshMs = 60_000;

export function FilmList({ onWatch }: { onWatch: (film: string) => void }) {
  const t = useText();
  const language = useLanguage();
  const [films, setFilms] = useState<Film[]>([]);
  const [broken, setBroken] = useState<ReadonlySet<string>>(new Set());
  useEffect(() => {
    let gone = false;
    const load = (): void => {
      listFilms().then(
        (listed) => {
          if (!gone) setFilms(listed);
        },
        () => undefined,
      );
    };
    load();
    const timer = window.setInterval(load, kRefreshMs);
    return () => {
      gone = true;
      window.clearInterval(timer);
    };
  }, []);
  if (films.length === 0) return null;
  return (
    <section class="list" aria-labelledby="films-title">
      <div class="list-head">
        <h2 id="films-title">{t('films.title')}</h2>
      </div>
      <ul class="cards">
        {films.map((film) => (
          <li key={film.id}>
            <a
              class="card"
              data-film={film.id}
              href={filmPath(film.id, location.search)}
              aria-label={t('list.watch', { title: film.title })}
              onClick={(event) => {
                if (event.metaKey || event.ctrlKey || event.shiftKey) return;
                event.preventDefault();
                onWatch(film.id);
              }}
            >
              <span class="card-picture">
                {film.poster !== null && !broken.has(film.poster) ? (
                  <img
                    class="card-poster"
                    src={film.poster}
                    alt=""
                    loading="lazy"
                    onError={() => setBroken(new Set(broken).add(film.poster ?? ''))}
                  />
                ) : (
                  <img class="card-flower" src={logo} alt="" />
                )}
              </span>
              <span class="card-title">{film.title}</span>
              {film.duration_s !== null && <span class="card-facts">{formatDuration(language, film.duration_s)}</span>}
            </a>
          </li>
        ))}
      </ul>
    </section>
  );
}
