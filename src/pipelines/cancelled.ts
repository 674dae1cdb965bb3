import { PregenError } from '../errors.ts'

/** @param what that is not done: `picture`, `video` */
export function drawingCancelled(what = 'picture'): PregenError {
  return new PregenError('E_CANCELLED', `Stopped before the ${what} was done.`, { exitCode: 3 })
}
