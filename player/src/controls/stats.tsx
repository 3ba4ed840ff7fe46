// Numbers for those who ask (key I): end-to-end latency by the channel's own clock, buffer, frames.
import { useText } from '../language';
import type { Snapshot } from '../playback/engine';

interface Properties {
  snapshot: Snapshot;
  stalls: number;
  session: string;
}

const kProtocols = { dash: 'LL-DASH', hls: 'LL-HLS', native: 'HLS' };

export function Stats({ snapshot, stalls, session }: Properties) {
  const t = useText();
  const seconds = (value: number | null): string =>
    value === null ? t('stats.unknown') : t('stats.seconds', { value: value.toFixed(2) });
  const rows: [string, string, string][] = [
    ['latency', t('stats.latency'), seconds(snapshot.latency_ms === null ? null : snapshot.latency_ms / 1000)],
    ['buffer', t('stats.buffer'), seconds(snapshot.buffer_s)],
    ['resolution', t('stats.resolution'), `${snapshot.width} × ${snapshot.height}`],
    ['frames', t('stats.frames'), `${snapshot.dropped} / ${snapshot.frames}`],
    ['stalls', t('stats.stalls'), String(stalls)],
    [
      'bitrate',
      t('stats.bitrate'),
      snapshot.bitrate === null
        ? t('stats.unknown')
        : t('stats.megabits', { value: (snapshot.bitrate / 1e6).toFixed(1) }),
    ],
    ['codecs', t('stats.codecs'), snapshot.codecs || t('stats.unknown')],
    ['protocol', t('stats.protocol'), kProtocols[snapshot.protocol]],
    ['session', t('stats.session'), session.slice(0, 8)],
  ];
  return (
    <dl class="stats" aria-label={t('control.stats')}>
      {rows.map(([name, label, value]) => (
        <div key={name}>
          <dt>{label}</dt>
          <dd data-stat={name}>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
