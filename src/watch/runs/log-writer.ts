/** Appends a run's events to its log. It never slows or fails the run: on trouble it is given up, with one warning. */

import { constants } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { open } from 'node:fs/promises'
import { PRIVATE_FILE, withFolder } from '../../artifacts/confined-folder.ts'
import { type Confinement, OPEN_PLAIN } from '../../artifacts/confinement.ts'
import { messageOf } from '../../errors.ts'
import type { RunEvent } from '../../run/events.ts'
import { EVENTS_NAME } from './log-reader.ts'
import { runFolder } from './run-folder.ts'

export interface RunLog {
  readonly append: (event: RunEvent) => void
  /** Resolves when all that was appended stands in the file, or the log was given up. */
  readonly close: () => Promise<void>
}

/** Lines that may wait for a disk that does not answer. */
const MAX_WAITING = 8 * 1024 * 1024

/** @param onGivenUp told once, with the reason */
export function createRunLog(inside: Confinement, id: string, onGivenUp: (why: string) => void): RunLog {
  let waiting: string[] = []
  let waitingLength = 0
  let isGivenUp = false
  let writing: Promise<void> | null = null
  let handle: FileHandle | null = null

  const giveUp = (why: string) => {
    if (isGivenUp) return
    isGivenUp = true
    waiting = []
    onGivenUp(why)
  }
  const flush = async (): Promise<void> => {
    try {
      handle ??= await openLog(inside, id)
      while (waiting.length > 0 && !isGivenUp) {
        const lines = waiting.join('')
        waiting = []
        waitingLength = 0
        await handle.appendFile(lines)
      }
    } catch (error) {
      giveUp(messageOf(error))
    } finally {
      writing = null
    }
  }
  return {
    append(event) {
      if (isGivenUp) return
      const line = `${JSON.stringify(event)}\n`
      waiting.push(line)
      waitingLength += line.length
      if (waitingLength > MAX_WAITING) giveUp('the disk takes no lines')
      else writing ??= flush()
    },
    async close() {
      while (writing !== null) await writing
      await handle?.close()
      handle = null
    },
  }
}

async function openLog(inside: Confinement, id: string): Promise<FileHandle> {
  const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | OPEN_PLAIN
  const folder = runFolder(inside.out, id)
  return await withFolder(inside, folder, (opened) => open(opened.at(EVENTS_NAME), flags, PRIVATE_FILE))
}
