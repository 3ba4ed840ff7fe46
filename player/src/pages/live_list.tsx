// The list of live channels. It keeps itself fresh; when the server is away the last list stays, with
// its age.
import { useEffect, useRef, useState } from 'preact/hooks';
import { ApiError, listChannels, type Channel } from '../api/client';
import logo from '../assets/kapok.svg';
import { formatDuration } from '../i18n';
import { useLanguage, useText } from '../language';
import { moveFocus } from '../navigation/focus';
import { directionOf } from '../navigation/neighbour';
import { backOffSeconds, fromStatus } from '../playback/failure';
import { FailurePanel } from './failure_panel';
import { watchPath } from '../routes';

const kRefreshMs = 5_000;
const kStaleMs = 3 * kRefreshMs;
// A skeleton for a list that is here in 100 ms would only flicker.
const kSkeletonAfterMs = 300;

interface Listing {
  channels: Channel[] | null;
  failure: ApiError | null;
  fresh_ms: number;
  retryAt: number;
}

function useListing(): [Listing, () => void] {
  const [listing, setListing] = useState<Listing>({ channels: null, failure: null, fresh_ms: Date.now(), retryAt: 0 });
  const again = useRef<() => void>(() => undefined);
  useEffect(() => {
    let timer = 0;
    let attempt = 0;
    let gone = false;
    const load = async (): Promise<void> => {
      window.clearTimeout(timer);
      let wait = kRefreshMs;
      try {
        const channels = await listChannels();
        attempt = 0;
        if (!gone) setListing({ channels, failure: null, fresh_ms: Date.now(), retryAt: 0 });
      } catch (error) {
        const failure = error instanceof ApiError ? error : new ApiError(0, String(error));
        wait = backOffSeconds(attempt++) * 1000;
        if (!gone) setListing((old) => ({ ...old, failure, retryAt: Date.now() + wait }));
      }
      if (!gone) timer = window.setTimeout(() => void load(), wait);
    };
    const now = (): void => void load();
    again.current = now;
    window.addEventListener('online', now);
    now();
    return () => {
      gone = true;
      window.clearTimeout(timer);
      window.removeEventListener('online', now);
    };
  }, []);
  return [listing, () => again.current()];
}

function resolutionMark(channel: Channel): string | null {
  if (channel.height === null) return null;
  const size = channel.height >= 4320 ? '8K' : channel.height >= 2160 ? '4K' : `${channel.height}p`;
  return channel.highDynamicRange === null ? size : `${size} ${channel.highDynamicRange}`;
}

function Card({ channel, onWatch }: { channel: Channel; onWatch: () => void }) {
  const t = useText();
  const language = useLanguage();
  const [broken, setBroken] = useState<string | null>(null);
  const mark = resolutionMark(channel);
  return (
    <li>
      <a
        class="card"
        data-channel={channel.id}
        href={watchPath(channel.id, location.search)}
        aria-label={t('list.watch', { title: channel.title })}
        onClick={(event) => {
          if (event.metaKey || event.ctrlKey || event.shiftKey) return;
          event.preventDefault();
          onWatch();
        }}
      >
        <span class="card-picture">
          {channel.poster !== null && channel.poster !== broken ? (
            <img
              class="card-poster"
              src={channel.poster}
              alt=""
              loading="lazy"
              onError={() => setBroken(channel.poster)}
            />
          ) : (
            <img class="card-flower" src={logo} alt="" />
          )}
          <span class={channel.live ? 'badge badge-live' : 'badge'}>
            {channel.live ? t('list.live') : t('list.waiting')}
          </span>
          {mark !== null && <span class="badge badge-mark">{mark}</span>}
        </span>
        <span class="card-title">{channel.title}</span>
        {channel.programme !== null && channel.programme.title !== '' && (
          <span class="card-facts">{channel.programme.title}</span>
        )}
        <span class="card-facts">
          {channel.live && channel.since_ms !== null
            ? t('list.since', { duration: formatDuration(language, (Date.now() - channel.since_ms) / 1000) })
            : channel.id}
        </span>
      </a>
    </li>
  );
}

interface Properties {
  onWatch: (channel: string) => void;
  watched: string | null; // where the viewer comes from: the focus returns to its card
}

export function LiveList({ onWatch, watched }: Properties) {
  const t = useText();
  const language = useLanguage();
  const [{ channels, failure, fresh_ms, retryAt }, retry] = useListing();
  const [patient, setPatient] = useState(false);
  useEffect(() => {
    const timer = window.setTimeout(() => setPatient(true), kSkeletonAfterMs);
    return () => window.clearTimeout(timer);
  }, []);

  useEffect(() => {
    const pressed = (event: KeyboardEvent): void => {
      const direction = directionOf(event.key);
      if (direction === null || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      moveFocus(direction);
    };
    window.addEventListener('keydown', pressed);
    return () => window.removeEventListener('keydown', pressed);
  }, []);
  const list = useRef<HTMLElement>(null);
  const known = channels !== null;
  useEffect(() => {
    if (!known || watched === null) return;
    list.current?.querySelector<HTMLElement>(`a[data-channel="${watched}"]`)?.focus();
  }, [known, watched]);

  const age = Date.now() - fresh_ms;
  const live = channels?.filter((channel) => channel.live).length ?? 0;
  const loading = channels === null && failure === null;
  return (
    <section ref={list} class="list" aria-labelledby="list-title" aria-busy={loading}>
      <div class="list-head">
        <h1 id="list-title">{t('list.title')}</h1>
        {live > 0 && <span class="list-count">{t(live === 1 ? 'list.count_one' : 'list.count', { count: live })}</span>}
      </div>
      <div role="status" class="quiet-status">
        {loading && <span class="hidden-text">{t('list.loading')}</span>}
        {channels !== null && failure !== null && age > kStaleMs && (
          <p class="stale">{t('list.stale', { age: formatDuration(language, age / 1000) })}</p>
        )}
      </div>
      {loading && patient && (
        <ul class="cards" aria-hidden="true">
          {[0, 1, 2].map((i) => (
            <li key={i}>
              <span class="card skeleton">
                <span class="card-picture" />
                <span class="card-title" />
              </span>
            </li>
          ))}
        </ul>
      )}
      {channels === null && failure !== null && (
        <FailurePanel
          title={t('list.error')}
          hint={t(`error.${fromStatus(failure.status, failure.code).kind}_hint`)}
          code={failure.code}
          retryAt={retryAt}
          onRetry={retry}
        />
      )}
      {channels !== null && live === 0 && (
        <div class="empty">
          <img src={logo} alt="" width={96} height={96} />
          <p class="empty-title">{t('list.empty')}</p>
          <p>{t('list.empty_hint')}</p>
        </div>
      )}
      {channels !== null && channels.length > 0 && (
        <ul class="cards">
          {channels.map((channel) => (
            <Card key={channel.id} channel={channel} onWatch={() => onWatch(channel.id)} />
          ))}
        </ul>
      )}
    </section>
  );
}
