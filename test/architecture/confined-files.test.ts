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
  'artifacts/durable-file.ts': 'writes within an open folder',
  'artifacts/durable-write.ts': 'writes within an open folder',
  'artifacts/ledger.ts': 'makes the ledger within an open folder',
  'artifacts/ledger-read.ts': 'names a flag',
  'artifacts/lock.ts': 'links and renames within an open folder',
  'artifacts/lock-holder.ts': 'reads /proc of processes',
  'artifacts/file-state.ts': 'asks for the real path of a folder',
  'artifacts/origin.ts': "the user's own state folder, outside",
  'artifacts/output-folder.ts': 'makes the folder that the user named',
  'artifacts/scratch-file.ts': 'writes and reads within an open folder',
  'artifacts/state-folder.ts': 'makes the folder that the user named',
  'artifacts/page.ts': 'reads the page out of the package',
  'run/source-clip.ts': 'reads the video that the user named',
  'watch/runs/log-writer.ts': 'makes the log within an open folder',
  'watch/runs/submit-run.ts': 'makes the log of the process within an open folder',
  'watch/server/app.ts': 'a type alone',
  'watch/server/page-files.ts': 'reads the page out of the package',
  'watch/server/published-file.ts': 'a type alone',
  'watch/server/versions.ts': 'asks when a folder changed, through an open one',
}

const files = ['artifacts', 'storage', 'run', 'queue', 'watch'].flatMap((room) =>
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
