/**
 * The names of what is being written: made here, and known again here, so that what a killed run leaves is swept by the next
 * one.
 */
import { randomBytes } from 'node:crypto'
import { isRunning } from '../running-process.ts'

const TEMPORARY = /^\.pregen-(\d+)-[0-9a-f]{12}\.tmp$/

/** A new one, of this process. */
export function temporaryName(): string {
  return `.pregen-${process.pid}-${randomBytes(6).toString('hex')}.tmp`
}

/** Whether a name is that of a temporary file of ours. */
export function isTemporaryName(name: string): boolean {
  return TEMPORARY.test(name)
}

/** Whether the process that makes a temporary file may be at it. */
export function isInHand(name: string): boolean {
  const [, pid = ''] = TEMPORARY.exec(name) ?? []
  return isRunning(Number(pid))
}
