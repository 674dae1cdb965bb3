/** What failed a unit, in the words of its event, whatever was thrown or came as plain data from another process. */
import { messageOf } from '../errors.ts'

export interface Failure {
  readonly stage: string
  readonly code: string
  /** Without the stage. */
  readonly message: string
  readonly help: string
}

const DEFAULT_HELP = 'Run the sheet again for it: units that are whole are kept.'

/** @param stage where it happened, unless the reason knows better */
export function describeFailure(stage: string, reason: unknown): Failure {
  const isObject = typeof reason === 'object' && reason !== null
  const code = isObject && 'code' in reason ? String(reason.code) : ''
  const help = isObject && 'help' in reason ? reason.help : undefined
  const own = isObject && 'stage' in reason && typeof reason.stage === 'string' ? reason.stage : stage
  const message = isObject && 'message' in reason ? String(reason.message) : messageOf(reason)
  return {
    stage: own,
    code: code.startsWith('E_') ? code : 'E_UNEXPECTED',
    // An error that knows its stage begins with it.
    message: message.startsWith(`${own}: `) ? message.slice(own.length + 2) : message,
    help: typeof help === 'string' && help !== '' ? help : DEFAULT_HELP,
  }
}
