/** A film as a list of pictures with durations, which FFmpeg's concat demuxer reads. Pure. */
import type { FilmSchedule } from './schedule.ts'

/**
 * @param schedule in milliseconds, without fades, of one cell
 * @param pathOf of a picture, relative to where the list stands, with `/`
 */
export function ffconcatOf(
  { moments, endTick }: FilmSchedule,
  pathOf: (picture: number | 'final') => string,
): string {
  const lines = ['ffconcat version 1.0']
  for (const [at, { tick, shown }] of moments.entries()) {
    const { picture } = shown[0]!
    const durationMs = (moments[at + 1]?.tick ?? endTick) - tick
    // Pictures are read at 25 a second unless it is said: then durations would be brought to 40 ms.
    lines.push(
      `file ${quoted(pathOf(picture))}`,
      'option framerate 1000',
      `duration ${secondsText(durationMs)}`,
    )
  }
  // The list's last duration counts only where a file follows.
  const last = moments.at(-1)!.shown[0]!.picture
  lines.push(`file ${quoted(pathOf(last))}`, 'option framerate 1000')
  return `${lines.join('\n')}\n`
}

function quoted(path: string): string {
  return `'${path.replaceAll("'", "'\\''")}'`
}

function secondsText(ms: number): string {
  return (ms / 1000).toFixed(3)
}
