/** Starts a run as a process of its own, which nothing that happens to this one can end. */
import { spawn } from 'node:child_process'
import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { PRIVATE_FILE, withFolder } from '../../artifacts/confined-folder.ts'
import { OPEN_PLAIN } from '../../artifacts/confinement.ts'
import { makeRunFolder, runFolder, SHEET_COPY } from './run-folder.ts'
import { createRecord, writeRunRecord } from './run-record.ts'

export interface Submission {
  readonly id: string
  readonly out: string
  /** Path of the sheet, or what it is called where its text is given. */
  readonly sheet: string
  /** The sheet's text, for one that is no file; its relative paths start from `cwd`. */
  readonly text?: string | undefined
  /** Options of `pregen run`, as on the command line. */
  readonly options: readonly string[]
  readonly expectedSeconds: number | null
  /** The launcher of this very package, `bin/pregen.js`. */
  readonly launcher: string
  readonly cwd: string
  readonly env: NodeJS.ProcessEnv
}

/** Resolves when the process has been started: until it has written its name, a new record counts as waiting. */
export async function submitRun(submission: Submission): Promise<void> {
  const { id, out, sheet, text, options, expectedSeconds, launcher, cwd, env } = submission
  const inside = makeRunFolder(out, id)
  await writeRunRecord(
    inside,
    createRecord({ id, sheet, isText: text !== undefined, detached: true, options, expectedSeconds }),
  )
  const write = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | OPEN_PLAIN
  const folder = runFolder(inside.out, id)
  await withFolder(inside, folder, async (opened) => {
    const log = await open(opened.at('output.log'), write, PRIVATE_FILE)
    let input: Awaited<ReturnType<typeof open>> | null = null
    try {
      if (text !== undefined) {
        const path = opened.at(SHEET_COPY)
        const copy = await open(path, write, PRIVATE_FILE)
        await copy.writeFile(text)
        await copy.close()
        input = await open(path, constants.O_RDONLY | OPEN_PLAIN)
      }
      const source = text === undefined ? sheet : '-'
      const args = [launcher, 'run', source, '--out', inside.out, ...options, '--wait', '--run-id', id]
      const child = spawn(process.execPath, args, {
        cwd,
        env,
        // A session of its own: a terminal that closes does not reach it.
        detached: true,
        stdio: [input?.fd ?? 'ignore', log.fd, log.fd],
      })
      await new Promise<void>((resolve, reject) => {
        child.once('spawn', resolve)
        child.once('error', reject)
      })
      child.unref()
    } finally {
      await input?.close()
      await log.close()
    }
  })
}
