import { useEffect, useState } from 'preact/hooks';

export function toggleFullscreen(frame: HTMLElement | null, video: HTMLVideoElement | null): void {
  if (frame === null || video === null) return;
  if (document.fullscreenElement !== null) void document.exitFullscreen();
  else if (frame.requestFullscreen) void frame.requestFullscreen().catch(() => undefined);
  // iPhones show only the <video> itself full screen.
  else (video as HTMLVideoElement & { webkitEnterFullscreen?: () => void }).webkitEnterFullscreen?.();
}

export function useFullscreen(): boolean {
  const [fullscreen, setFullscreen] = useState(false);
  useEffect(() => {
    const changed = (): void => setFullscreen(document.fullscreenElement !== null);
    document.addEventListener('fullscreenchange', changed);
    return () => document.removeEventListener('fullscreenchange', changed);
  }, []);
  return fullscreen;
}
