import { useEffect, useRef } from 'preact/hooks';

/** How much of a range is filled: set as a property, because the page's policy forbids style="". */
export function useFill(fraction: number) {
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    input.current?.style.setProperty('--fill', `${(Math.min(1, Math.max(0, fraction)) * 100).toFixed(2)}%`);
  }, [fraction]);
  return input;
}
