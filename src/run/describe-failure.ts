/** What failed a unit, in the words of its event, whatever was thrown or came as plain data from another process. */
import { messageOf } from '../errors.ts'

export interface Failure {
  readonly stage: string
  readonly code: string
  readonly message: string
}

/** @param stage where it happened, unless the reason knows better */
export function describeFailure(stage: string, reason: unknown): Failure {
  const isObject = typeof reason === 'object' && reason !== null
  const code = isObject && 'code' in reason ? String(reason.code) : ''
  return {
    stage: reason instanceof Error && 'stage' in reason ? String(reason.stage) : stage,
    code: code.startsWith('E_') ? code : 'E_UNEXPECTED',
    message: isObject && 'message' in reason ? String(reason.message) : messageOf(reason),
  }
}
