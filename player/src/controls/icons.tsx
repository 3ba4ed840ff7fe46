// Icons as inline SVG paths on a 24x24 grid, in the text's colour.
const kPaths = {
  play: 'M7 4.5v15l12.5-7.5z',
  pause: 'M6.5 4.5h4v15h-4zm7 0h4v15h-4z',
  volume: 'M3.5 9v6h4l5 4.5v-15l-5 4.5zm12-1.8v9.6a5 5 0 0 0 0-9.6zm0-3.6v2.1a6.9 6.9 0 0 1 0 12.6v2.1a8.9 8.9 0 0 0 0-16.8z',
  muted: 'M3.5 9v6h4l5 4.5v-15l-5 4.5zm17.7 0-1.4-1.4-2.3 2.3-2.3-2.3L13.8 9l2.3 2.3v1.4L13.8 15l1.4 1.4 2.3-2.3 2.3 2.3 1.4-1.4-2.3-2.3v-1.4z',
  fullscreen: 'M4 4h6v2.4H6.4V10H4zm10 0h6v6h-2.4V6.4H14zM4 14h2.4v3.6H10V20H4zm13.6 0H20v6h-6v-2.4h3.6z',
  shrink: 'M7.6 4H10v6H4V7.6h3.6zM14 4h2.4v3.6H20V10h-6zM4 14h6v6H7.6v-3.6H4zm10 0h6v2.4h-3.6V20H14z',
  stats: 'M4 20V10h3.6v10zm6.2 0V4h3.6v16zm6.2 0v-7H20v7z',
  // A speech bubble with lines, and a screen's sliders.
  sound: 'M3 4h18v13h-9.6L7 21v-4H3zm3.5 3.6v2h11v-2zm0 3.8v2h7.5v-2z',
  quality: 'M3.5 6h9a3 3 0 0 1 5.8 0h2.2v2.2h-2.2a3 3 0 0 1-5.8 0h-9zm0 9.8h2.2a3 3 0 0 1 5.8 0h9V18h-9a3 3 0 0 1-5.8 0H3.5z',
  back: 'M14.8 4.5 7.3 12l7.5 7.5 1.7-1.7-5.8-5.8 5.8-5.8z',
};

export type IconName = keyof typeof kPaths;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" width="24" height="24" aria-hidden="true" focusable="false">
      <path d={kPaths[name]} fill="currentColor" />
    </svg>
  );
}
