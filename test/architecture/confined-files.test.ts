import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'

const src = resolve(import.meta.dirname, '../../src')

/**
 * Files of the rooms that work below an output folder which may call the file system, and why. All others go through
 * artifacts/confined-*.ts, which follow no link and wait for nothing.
 */
const MAY: Readonly<Record<string, string>> = {
  'artifacts/confinement.ts': 'judges what was opened',
  'artifacts/confined-folder.ts': 'opens folders',
  'artifacts/confined-files.ts': 'opens files',
  'artifacts/durable-write.ts': 'writes within an open folder',
  'artifacts/ledger.ts': 'makes the ledger within an open folder',
  'artifacts/ledger-read.ts': 'names a flag',
  'artifacts/lock.ts': 'links and renames within an open folder',
  'artifacts/lock-holder.ts': 'reads /proc of processes',
  'artifacts/file-state.ts': 'asks for the real path of a folder',
  'artifacts/origin.ts': "the user's own state folder, outside",
  'artifacts/output-folder.ts': 'makes the folder that the user named',
  'artifacts/state-folder.ts': 'makes the folder that the user named',
  'run/existing-folder.ts': 'asks whether the folder that the user named is there',
  'run/prompt-store.ts': 'its scratch file within an open folder',
  'watch/gallery.ts': 'reads the page out of the package',
  'run/rerender.ts': 'a temporary folder of its own, outside',
}

const files = ['artifacts', 'storage', 'run', 'watch'].flatMap((room) =>
  readdirSync(join(src, room), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => `${room}/${name.replaceAll('\\', '/')}`),
)
const textOf = (file: string) => readFileSync(join(src, file), 'utf8')
const importsFs = (file: string) => /from 'node:fs(\/promises)?'/.test(textOf(file))

describe('files below an output folder', () => {
  it('are touched through the confined calls alone', () => {
    const others = files.filter(importsFs)
    expect(others.filter((file) => !(file in MAY))).toEqual([])
    expect(Object.keys(MAY).filter((file) => !importsFs(file))).toEqual([])
  })
})
