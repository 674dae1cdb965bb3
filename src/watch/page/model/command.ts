/** Commands to copy. */

export interface RedoTarget {
  readonly sheet: string | null
  readonly out: string | null
  readonly version: string | null
}

/** Draws one variant again, whether it is whole or not. */
export function redoCommand(target: RedoTarget, cue: string, variant: string, force = true): string {
  const words = ['pregen', 'run', quoteWord(target.sheet ?? 'cues.yaml')]
  words.push('--cue', quoteWord(escapeGlob(cue)), '--variant', quoteWord(escapeGlob(variant)))
  return [...words, ...placeOf(target), ...(force ? ['--force'] : [])].join(' ')
}

/** Goes on with what a run has left. */
export function resumeCommand(target: RedoTarget): string {
  return ['pregen', 'run', quoteWord(target.sheet ?? 'cues.yaml'), ...placeOf(target)].join(' ')
}

/** Puts the failed jobs of a sheet of the queue in again; the queue's address is the reader's own. */
export function retryLine(id: string): string {
  return ['pregen', 'retry', quoteWord(shortId(id))].join(' ')
}

/** Puts what is missing of a sheet into the queue again. */
export function enqueueLine(name: string, version: string): string {
  return ['pregen', 'enqueue', quoteWord(name), ...placeOf({ sheet: null, out: null, version })].join(' ')
}

/** As `pregen jobs --queue` prints it. */
export function shortId(id: string): string {
  return id.slice(0, 8)
}

function placeOf({ out, version }: RedoTarget): string[] {
  return [
    ...(out === null || out === 'out' ? [] : ['--out', quoteWord(out)]),
    ...(version === null || version === '' ? [] : ['--version-id', quoteWord(version)]),
  ]
}

/** Ids are matched as globs; these characters mean themselves. */
function escapeGlob(id: string): string {
  return id.replace(/[\\*?[\]{}()!+@|]/g, '\\$&')
}

/** One word of a POSIX shell. */
function quoteWord(word: string): string {
  return /^[\w./:=@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}
