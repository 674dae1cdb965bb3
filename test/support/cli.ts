/** The real command line in a process of its own, as a user starts it. */
import { type ChildProcess, spawn } from 'node:child_process'
import { join, resolve } from 'node:path'
import type { RunEvent } from '../../src/run/events.ts'

export const packageRoot = resolve(import.meta.dirname, '../..')
export const pregenBin = join(packageRoot, 'bin/pregen.js')

export interface CliResult {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

export interface CliOptions {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Shell words before node, such as a limit on file sizes. */
  readonly shell?: string
  /** Called with the child, to send signals say. */
  readonly onStart?: (child: ChildProcess) => void
  /** Called with stdout as it comes. */
  readonly onStdout?: (text: string, child: ChildProcess) => void
  /** Called with stderr as it comes. */
  readonly onStderr?: (text: string, child: ChildProcess) => void
}

/** What a user's shell has, less what would change a run: no proxies of ours, no CI look, no credentials. */
function cleanEnv(extra: CliOptions['env']): NodeJS.ProcessEnv {
  const { PATH, HOME, TMPDIR, ONNXRUNTIME_NODE_INSTALL } = process.env
  const kept = { PATH, HOME, TMPDIR, ONNXRUNTIME_NODE_INSTALL, AWS_EC2_METADATA_DISABLED: 'true', ...extra }
  return Object.fromEntries(Object.entries(kept).filter(([, value]) => value !== undefined))
}

/** Runs `pregen …args` to its end; never rejects for an exit code. */
export function runCli(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  return new Promise((resolveResult, reject) => {
    // PREGEN_FAULTS counts with this flag alone.
    const flags = options.env?.PREGEN_FAULTS === undefined ? [] : ['--test-faults']
    const words = [process.execPath, pregenBin, ...args, ...flags]
    // The shell becomes node, so that a signal to the child is a signal to node.
    const [command = '', ...rest] = options.shell
      ? ['bash', '-c', `${options.shell}; exec "$0" "$@"`, ...words]
      : words
    const child = spawn(command, rest, {
      cwd: options.cwd,
      env: cleanEnv(options.env),
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text
      options.onStdout?.(text, child)
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text
      options.onStderr?.(text, child)
    })
    child.on('error', reject)
    child.on('close', (code, signal) => resolveResult({ code, signal, stdout, stderr }))
    options.onStart?.(child)
  })
}

/** The events of a run with `--format ndjson`. */
export function parseEvents(stdout: string): RunEvent[] {
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))
}

/** The one event of a type, or an error that shows what there was instead. */
export function eventOf<T extends RunEvent['type']>(
  events: readonly RunEvent[],
  type: T,
): Extract<RunEvent, { type: T }> {
  const found = events.find((event): event is Extract<RunEvent, { type: T }> => event.type === type)
  if (!found) throw new Error(`no ${type} among ${events.map((event) => event.type).join(', ')}`)
  return found
}
