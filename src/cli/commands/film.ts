/** `pregen film`: films of how pictures formed. */
import type { FilmFormat, FilmPace } from '../../films/film-options.ts'
import { parseFrameRate } from '../../media/frame-rate.ts'
import { plural } from '../../printable.ts'
import { requireOutputFolder } from '../../tasks/existing-folder.ts'
import { filmTree } from '../../tasks/film.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'
import { printLine } from '../print.ts'
import { reportError } from '../report-error.ts'
import { isCancellation, watchSignals } from '../signals.ts'
import { requireVersions } from './gallery.ts'

export interface FilmFlags {
  readonly versionId?: string
  readonly cue?: string
  readonly variant?: string
  readonly program?: string
  readonly format: FilmFormat
  readonly pace: FilmPace
  readonly hold: number
  readonly fade: number
  readonly fps: number
  readonly grid?: boolean
  readonly to?: string
}

/** @throws PregenError `E_OUTPUT_FOLDER`, `E_NOTHING_TO_SHOW`, `E_NO_ENCODER` and what else keeps all films from being made */
export async function filmCommand(dir: string, flags: FilmFlags): Promise<ExitCode> {
  const out = await requireOutputFolder(dir)
  const versions = await requireVersions(dir, out, flags.versionId)
  const say = (line: string) => printLine(process.stderr, line)
  const signals = watchSignals(say)
  const startedAt = performance.now()
  try {
    const { films, failed } = await filmTree({
      out,
      versions,
      selection: { cue: flags.cue, variant: flags.variant, program: flags.program },
      isGrid: flags.grid === true,
      to: flags.to,
      format: flags.format,
      pace: flags.pace,
      holdMs: flags.hold,
      fadeMs: flags.fade,
      frameRate: parseFrameRate(flags.fps),
      signal: signals.signal,
      on: {
        film: ({ path }) => printLine(process.stdout, path),
        passed: (cue, variant) => say(`${cue}/${variant}: no step pictures, no film`),
        failed: (cue, variant, error) => {
          say(`${variant === null ? cue : `${cue}/${variant}`}: no film`)
          reportError(error, process.stderr)
        },
      },
    })
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(1)
    say(`${plural(films, 'film')} in ${seconds} s${failed === 0 ? '' : `, ${failed} failed`}`)
    return failed === 0 ? EXIT.ok : EXIT.someFailed
  } catch (error) {
    const cancelled = signals.exitCode()
    if (cancelled !== null && (isCancellation(error) || signals.signal.aborted)) return cancelled
    throw error
  } finally {
    signals.close()
  }
}
