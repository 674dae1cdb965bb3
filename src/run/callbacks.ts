/** When a run tells the sheet's callback: after each unit, or once at its end, and never on a dry run. */
import type { ManifestAsset } from '../artifacts/manifest.ts'
import type { EmitRunEvent } from './events.ts'
import { createNotifier } from './notify.ts'
import type { RunOptions } from './options.ts'
import type { PreparedRun } from './prepared.ts'

export interface Callbacks {
  /** A unit is whole in the bucket, or on disk where there is none. */
  readonly unitWhole: (asset: ManifestAsset) => Promise<void>
  /** Keeps the run from ending before this is settled. */
  readonly track: (work: Promise<void>) => void
  /** Waits for what is on its way, then tells of the run. */
  readonly runEnded: (assets: readonly ManifestAsset[], faults: number) => Promise<void>
}

export function createCallbacks(prepared: PreparedRun, options: RunOptions, emit: EmitRunEvent): Callbacks {
  const { callback } = prepared.sheet
  const { dryRun, env, allowPrivateUrls, signal } = options
  const inWork = new Set<Promise<void>>()
  const track = (work: Promise<void>) => {
    inWork.add(work)
    void work.finally(() => inWork.delete(work))
  }
  if (callback === null || dryRun) {
    return { unitWhole: () => Promise.resolve(), track, runEnded: () => Promise.resolve() }
  }
  const notifier = createNotifier({
    callback,
    secret: env[callback.secretEnv],
    allowPrivate: allowPrivateUrls,
    emit,
    signal,
  })
  return {
    track,
    async unitWhole(asset) {
      if (callback.on === 'unit') await notifier.post(prepared.version, 'completed', [asset])
    },
    async runEnded(assets, faults) {
      await Promise.all(inWork)
      if (callback.on !== 'run' || signal.aborted) return
      const status = faults === 0 ? 'completed' : assets.length > 0 ? 'partial' : 'failed'
      await notifier.post(prepared.version, status, assets)
    },
  }
}
