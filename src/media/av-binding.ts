/** FFmpeg's libraries as a package (node-av), which is optional and loaded when the first video is coded. */
import { messageOf } from '../errors.ts'

export type Av = typeof import('node-av/lib')
export type AvConstants = typeof import('node-av/constants')

export interface AvBinding {
  readonly av: Av
  readonly constants: AvConstants
}

/** Why there is none, in words. */
export interface NoBinding {
  readonly reason: string
}

let loading: Promise<AvBinding | NoBinding> | undefined

/** Loaded once a process. */
export function loadAv(): Promise<AvBinding | NoBinding> {
  loading ??= load()
  return loading
}

async function load(): Promise<AvBinding | NoBinding> {
  try {
    const [av, constants] = await Promise.all([import('node-av/lib'), import('node-av/constants')])
    // FFmpeg would write to stderr by itself; what fails is told by its return value.
    av.Log.setLevel(constants.AV_LOG_QUIET)
    return { av, constants }
  } catch (error) {
    return { reason: messageOf(error).split('\n', 1)[0] ?? '' }
  }
}

export function hasBinding(loaded: AvBinding | NoBinding): loaded is AvBinding {
  return 'av' in loaded
}
