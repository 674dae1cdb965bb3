/** What becomes of a command whose output cannot be taken: its work goes on, and its exit code tells. */
import type { Writable } from 'node:stream'
import { errorCode, formatError, messageOf, PregenError } from '../errors.ts'
import { EXIT } from './exit-codes.ts'
import { printBlock } from './print.ts'

export interface OutputWatch {
  /** The exit code, once what was written last has been taken or refused. */
  readonly settle: (exitCode: number) => Promise<number>
}

export function watchOutput(stdout: Writable, stderr: Writable): OutputWatch {
  let isLost = false
  stdout.on('error', (error) => {
    // A reader that left (`| head`) must not cost a night's run: what it no longer reads is dropped.
    if (errorCode(error) === 'EPIPE' || isLost) return
    isLost = true
    const fault = new PregenError('E_WRITE_FAILED', `stdout cannot be written: ${messageOf(error)}`, {
      help: 'The work goes on; only what it would have printed is lost.',
    })
    printBlock(stderr, formatError(fault))
  })
  // Where messages go nowhere, there is nobody to tell.
  stderr.on('error', () => undefined)
  return {
    async settle(exitCode) {
      // Streams tell their faults after the write that met them.
      await new Promise(setImmediate)
      return isLost && exitCode === EXIT.ok ? EXIT.someFailed : exitCode
    },
  }
}
