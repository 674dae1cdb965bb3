/** The process of a worker: how it is started, with a side file, and as much of it as is needed here. */
import { fork, type Serializable } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { FromWorker, ToWorker } from './rpc.ts'
import { createSideFile, NO_SIDE_FILE, openSideFile } from './side-file.ts'

export interface WorkerListeners {
  readonly message: (message: FromWorker) => void
  /** It could not be started, or be understood. */
  readonly error: (reason: unknown) => void
  readonly exit: (code: number | null, signal: string | null) => void
}

/** As much of a `ChildProcess` as is needed here. */
export interface WorkerChild {
  readonly stderr: NodeJS.ReadableStream | null
  /** The descriptor that a side file has there, or null where there is none. */
  readonly sideFile: number | null
  listen(listeners: WorkerListeners): void
  send(message: ToWorker, whenSent: (error: Error | null) => void): unknown
  kill(signal: 'SIGKILL'): unknown
}

export interface WorkerStart {
  /** The worker's module, relative to this folder: `inference-process.js`. */
  readonly module: string
  /** For messages: `inference`. */
  readonly label: string
  /** What the worker is told first. */
  readonly data: unknown
  /** The environment of the new process; ONNX Runtime's telemetry is turned off in it. */
  readonly env: Readonly<Record<string, string | undefined>>
}

export type StartWorkerChild = (start: WorkerStart) => WorkerChild

/**
 * glibc takes blocks of 256 KiB and more from the system and gives them back when they are freed; by itself it raises
 * that limit to 32 MiB, and what ONNX Runtime frees while it loads stays with the process.
 */
const MEMORY_ENV = { MALLOC_MMAP_THRESHOLD_: '262144' } as const

/** V8 would keep up to 48 MiB for young objects; a worker has few, and its tensors lie outside its heap. */
const WORKER_FLAGS = ['--max-semi-space-size=2']

/** The descriptor behind the channel's. */
const SIDE_FILE = 4

export const startChild: StartWorkerChild = ({ module, env }) =>
  startModule(fileURLToPath(new URL(module, import.meta.url)), [], { ...MEMORY_ENV, ...env })

/** @param path a module that serves calls */
export function startModule(path: string, argv: readonly string[], env: WorkerStart['env']): WorkerChild {
  const file = openSideFile()
  const child = fork(path, argv, {
    env: { ...env, ORT_DISABLE_TELEMETRY: '1' },
    execArgv: WORKER_FLAGS,
    serialization: 'advanced',
    // What native code prints must not come between a run's events; its last words are in the error.
    stdio: ['ignore', 'ignore', 'pipe', 'ipc', ...(file === null ? [] : [file])],
  })
  const side = file === null ? NO_SIDE_FILE : createSideFile(file, 'tool')
  return {
    stderr: child.stderr,
    sideFile: file === null ? null : SIDE_FILE,
    listen({ message, error, exit }) {
      child.on('message', (sent) => {
        let taken: unknown
        try {
          taken = side.take(sent)
        } catch (reason) {
          error(reason)
          child.kill('SIGKILL')
          return
        }
        // Sent by this module's own other half.
        message(taken as FromWorker)
      })
      child.on('error', (reason) => {
        error(reason)
        // One that could not be started is not always told to be closed.
        if (child.pid === undefined) side.close()
      })
      child.on('exit', exit)
      // The last messages may come after the exit.
      child.once('close', side.close)
    },
    send(message, whenSent) {
      // The first message says that there is a side file.
      child.send((message.kind === 'start' ? message : side.put(message)) as Serializable, whenSent)
    },
    kill: (signal) => child.kill(signal),
  }
}
