/** One warning for all that the output folder's file system cannot do. */
import { sep } from 'node:path'
import { onWeakness, type Weakness, type WeaknessFound } from '../artifacts/weak-file-system.ts'
import type { PrepareWarning } from './prepared.ts'

const WORDS: Readonly<Record<Weakness, string>> = {
  sync: 'it cannot sync a folder or file: a power cut may take what was just written, and the next run makes that again',
  'hard link':
    'it makes no hard links: the lock is made in two steps, and of two runs that begin in the same moment one may take the other for dead',
  permissions: 'it takes no permissions: whoever may read the drive may read .pregen',
}

export interface FileSystemWatch {
  /** What was found before there was anyone to tell; from now on `warn` hears of what is found, once. */
  readonly tellTo: (warn: (warning: PrepareWarning) => void) => void
  readonly end: () => void
}

/** @param out the output folder, absolute: what is found elsewhere is another run's */
export function watchFileSystem(out: string): FileSystemWatch {
  const found = new Map<Weakness, WeaknessFound>()
  let warn: ((warning: PrepareWarning) => void) | null = null
  let isTold = false
  const tell = () => {
    if (warn === null || isTold || found.size === 0) return
    isTold = true
    const each = [...found.values()].map(({ weakness, code }) => `${WORDS[weakness]} (${code})`)
    warn({ code: 'W_FILE_SYSTEM', message: `The file system of ${out} is a weak one: ${each.join('; ')}.` })
  }
  const end = onWeakness((weakness) => {
    if (weakness.path !== out && !weakness.path.startsWith(out + sep)) return
    if (!found.has(weakness.weakness)) found.set(weakness.weakness, weakness)
    tell()
  })
  return {
    tellTo(listener) {
      warn = listener
      tell()
    },
    end,
  }
}
