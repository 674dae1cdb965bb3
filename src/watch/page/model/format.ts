/** Numbers as people read them. */

/** `0.4 s`, `38 s`, `3 min 05 s`, `2 h 10 min`. */
export function formatSeconds(seconds: number): string {
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`
  const whole = Math.round(seconds)
  if (whole < 60) return `${whole} s`
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, '0')} s`
  return `${Math.floor(whole / 3600)} h ${String(Math.floor((whole % 3600) / 60)).padStart(2, '0')} min`
}

/** Time left: without tenths until the very end, so that the number stands still. */
export function formatLeft(milliseconds: number): string {
  const seconds = milliseconds / 1000
  return seconds < 2
    ? `${seconds.toFixed(1)} s`
    : formatSeconds(Math.max(1, Math.round(seconds))).replace(/\.0 s$/, ' s')
}

/** `just now`, `38 s ago`, `3 min ago`, `5 h ago`, `2 days ago`. Clocks of machines differ: the future is now. */
export function formatAge(milliseconds: number): string {
  const seconds = Math.max(0, milliseconds) / 1000
  if (seconds < 5) return 'just now'
  if (seconds < 60) return `${Math.floor(seconds)} s ago`
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`
  const hours = Math.floor(seconds / 3600)
  return hours < 48 ? `${hours} h ago` : `${Math.floor(hours / 24)} days ago`
}

/** `0.071 s/step`, `2.4 s/step`. */
export function formatPace(stepMs: number): string {
  const seconds = stepMs / 1000
  return `${seconds < 1 ? seconds.toFixed(3) : seconds.toFixed(1)} s/step`
}

export function shortBytes(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`
  if (bytes < 1e6) return `${(bytes / 1e3).toFixed(0)} kB`
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(1)} GB`
}

/** `1 picture`, `4 pictures`. */
export function countOf(count: number, noun: string): string {
  return `${count.toLocaleString('en')} ${noun}${count === 1 ? '' : 's'}`
}

/** By the numbers within: seed-2 before seed-10. */
export const compareNatural = new Intl.Collator('en', { numeric: true }).compare
