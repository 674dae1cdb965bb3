/** `pregen serve [DIR]`: the live page, gallery, replay and jobs of an output folder over HTTP. */

import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import type { ErrorCode } from '../../error-codes.ts'
import { messageOf, PregenError } from '../../errors.ts'
import { embeddedModels, pageFolder, readPackageVersion } from '../../library/package.ts'
import type { QueueWatch } from '../../queue/watch.ts'
import type { Submitted } from '../../watch/server/app.ts'
import { checkRequest } from '../../watch/server/run-request.ts'
import { startServer, type WatchServer } from '../../watch/server/start-server.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'
import { expectSeconds } from '../expected-time.ts'
import { printLine } from '../print.ts'
import { type QueueFlags, queueAddress } from '../queue-flags.ts'
import { toSelectOptions } from '../select-options.ts'
import { watchSignals } from '../signals.ts'
import { submitInBackground } from '../submit.ts'

const FAULT = 'W_LIVE_VIEW'

export interface ServeFlags extends QueueFlags {
  readonly port: number
  readonly host: string
  readonly token?: string
  readonly allowOrigin?: readonly string[]
  readonly sheets?: string
  readonly previewQuality: number
  readonly previewSize: number
}

/** Serves until a signal ends it. */
export async function serveCommand(dir: string, flags: ServeFlags): Promise<ExitCode> {
  const out = requireFolder(dir, 'E_NO_RUN', 'Draw something there first: pregen run cues.yaml')
  const say = (line: string) => printLine(process.stderr, line)
  const signals = watchSignals(() => undefined)
  try {
    const server = await openServer(out, { ...flags, queue: queueAddress(flags) })
    printLine(process.stdout, server.url)
    say(`serving ${out}; Ctrl-C ends it, runs go on`)
    await new Promise<void>((ended) =>
      signals.signal.addEventListener('abort', () => ended(), { once: true }),
    )
    await server.close()
    return EXIT.ok
  } finally {
    signals.close()
  }
}

/** A queue is looked at where `flags` name one: the environment is the command's. */
export async function openServer(out: string, flags: ServeFlags): Promise<WatchServer> {
  const { host, port, token, allowOrigin = [], previewQuality, previewSize } = flags
  const sheets =
    flags.sheets === undefined
      ? null
      : requireFolder(flags.sheets, 'E_SERVER_SHEETS', 'Name a folder of cue sheets.')
  if (token !== undefined && !/^[\w.~+/-]{16,200}$/.test(token)) {
    throw new PregenError('E_TOKEN_NEEDED', 'The token must have 16 to 200 letters, digits or ._~+/-.', {
      help: 'Without --token a good one is made.',
    })
  }
  for (const origin of allowOrigin) {
    if (!URL.canParse(origin) || new URL(origin).origin !== origin) {
      throw new PregenError('E_SERVER_HOST', `${JSON.stringify(origin)} is no origin.`, {
        help: 'Write scheme, host and port alone, such as https://show.example.',
      })
    }
  }
  const queue = flags.queue === undefined ? undefined : await openQueueWatch(flags.queue)
  const server = startServer({
    queue,
    ...{ out, host, port, token, origins: allowOrigin, previewQuality, previewSize },
    pageFolder,
    version: readPackageVersion(),
    onFault: (error) => printLine(process.stderr, `warning  ${FAULT}  ${messageOf(error)}`),
    submit: async (body, { runs }): Promise<Submitted> => {
      const request = await checkRequest(body, { sheets, embeddedModels, env: process.env })
      const { select, ...run } = request
      const expectedSeconds = await expectSeconds({
        ...toSelectOptions(select.sheetPath, { out }),
        ...select,
      })
      return await submitInBackground({ ...run, out, runs, expectedSeconds })
    },
  })
  // A port that is taken leaves nothing behind that would keep the process alive.
  server.catch(() => queue?.close())
  return await server
}

/** @throws PregenError `E_QUEUE_ADDRESS`; a queue that does not answer is told on the page, and looked for until it does */
async function openQueueWatch(address: string): Promise<QueueWatch> {
  const { watchQueue } = await import('../../queue/watch.ts')
  return watchQueue(address, {
    say: (line) => printLine(process.stderr, line),
    warn: (code, message) => printLine(process.stderr, `warning  ${code}  ${message}`),
  })
}

function requireFolder(path: string, code: ErrorCode, help: string): string {
  const folder = resolve(path)
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true) return folder
  throw new PregenError(code, `There is no folder ${path}.`, { help })
}
