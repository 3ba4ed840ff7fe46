// Times of a film as text: "1:05", "1:02:03".

const two = (value: number): string => String(value).padStart(2, '0');

/** `of`: the film's length; where that has hours all its times have, so that the text keeps its width. */
export function formatFilmTime(seconds: number, of = 0): string {
  const whole = Number.isFinite(seconds) ? Math.max(0, Math.floor(seconds)) : 0;
  const minutes = Math.floor(whole / 60);
  const hours = Math.floor(minutes / 60);
  if (of < 3600 && hours === 0) return `${minutes}:${two(whole % 60)}`;
  return `${hours}:${two(minutes % 60)}:${two(whole % 60)}`;
}
