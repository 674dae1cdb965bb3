/** Files outside an output folder that nothing may touch: what they hold, their times, and what stands beside them. */
import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { contentOf } from './variants.ts'

/** What no body that is sent may hold. */
export const SECRET = 'the canary sings'
/** Times that no access of today has: with relatime, too, the first read moves them. */
const LONG_AGO = new Date('2001-01-01T00:00:00Z')

export interface Canary {
  readonly folder: string
  /** Text without a last newline, as a shell's start-up file may end. */
  readonly text: string
  /** A picture, whose bytes hold the secret too. */
  readonly picture: string
  /** A folder with files of pregen's own names. */
  readonly live: string
  /** All that an access would change, by path. */
  state(): Record<string, string>
}

export function createCanary(folder: string): Canary {
  const live = join(folder, 'live')
  mkdirSync(join(live, 'dawn'), { recursive: true })
  const text = join(folder, 'profile')
  const picture = join(folder, 'private.png')
  writeFileSync(text, `export A=1\n# ${SECRET}`)
  writeFileSync(picture, contentOf(SECRET, SECRET, 400))
  for (const name of [
    'final.png',
    '1.png',
    '.pregen-1-0123456789ab.tmp',
    'dawn/wide_preview.png',
    'ledger.ndjson',
  ]) {
    writeFileSync(join(live, name), contentOf(SECRET, SECRET, 300))
  }
  writeFileSync(join(live, 'timing.json'), '{"stepDurations":{"1":1,"final":1}}')
  // Read once before the times are set back: reading for the hash must not count.
  const hashes = new Map<string, string>()
  for (const path of filesBelow(folder)) hashes.set(path, hashOf(path))
  for (const path of [...filesBelow(folder), live, join(live, 'dawn')]) utimesSync(path, LONG_AGO, LONG_AGO)
  return {
    folder,
    text,
    picture,
    live,
    state() {
      const seen: Record<string, string> = {}
      for (const path of filesBelow(folder)) {
        const { atimeMs, mtimeMs, size, mode, nlink } = lstatSync(path)
        seen[path.slice(folder.length)] = [
          atimeMs,
          mtimeMs,
          size,
          mode & 0o777,
          nlink > 1 ? 'linked' : '',
        ].join(' ')
      }
      for (const path of filesBelow(folder)) {
        const before = lstatSync(path)
        seen[path.slice(folder.length)] += ` ${hashOf(path)}`
        utimesSync(path, before.atime, before.mtime)
      }
      return seen
    },
  }
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
}

function hashOf(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex')
}

/** What may stand where a file of ours belongs. */
export type OddKind =
  | 'link'
  | 'picture-link'
  | 'dangling'
  | 'folder-link'
  | 'pipe'
  | 'socket'
  | 'device'
  | 'folder'
export const ODD_KINDS: readonly OddKind[] = [
  ...(['link', 'picture-link', 'dangling', 'folder-link', 'pipe', 'socket', 'folder'] as const),
  // Only root may make one.
  ...(process.getuid?.() === 0 ? (['device'] as const) : []),
]

/** Puts something odd at a path, whose folder exists. */
export function placeOdd(kind: OddKind, path: string, canary: Canary): void {
  if (kind === 'link') symlinkSync(canary.text, path)
  else if (kind === 'picture-link') symlinkSync(canary.picture, path)
  else if (kind === 'dangling') symlinkSync(join(canary.folder, 'made'), path)
  else if (kind === 'folder-link') symlinkSync(canary.live, path)
  else if (kind === 'folder') mkdirSync(path)
  else if (kind === 'pipe') execFileSync('mkfifo', [path])
  else if (kind === 'device') execFileSync('mknod', [path, 'c', '1', '5'])
  else leaveSocket(path)
}

/** A socket whose server is gone, as a killed program leaves it. */
function leaveSocket(path: string): void {
  const script = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`
  spawnSync(process.execPath, ['-e', script])
  if (!lstatSync(path).isSocket()) throw new Error(`${path} is no socket`)
}
