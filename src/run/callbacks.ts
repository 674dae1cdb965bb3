/** When a run calls the sheet's callback: after each unit, or once at its end, and never on a dry run. */
import type { Ledger } from '../artifacts/ledger.ts'
import type { ManifestAsset } from '../artifacts/manifest.ts'
import { messageOf } from '../errors.ts'
import { checkCallbackHost } from '../net/post-json.ts'
import type { EmitRunEvent } from './events.ts'
import { createNotifier } from './notify.ts'
import type { RunOptions } from './options.ts'
import type { PreparedRun } from './prepared.ts'

// Drawing and uploads are over: nobody should wait for long on behalf of a receiver that does not answer.
const LAST_CALLS_MS = 30_000

export interface Callbacks {
  /** Whether each unit is told of: it owes a call, in the ledger, from when it is recorded until that is delivered. */
  readonly isOwedByUnits: boolean
  /**
   * Tells of a unit once it stands whole in the bucket, or on disk where there is none; the run waits for that.
   * @param sent true when it does; never rejects
   * @param isComplete false: a step picture is missing, so there is no `timing.json`
   */
  readonly unitSent: (key: string, sent: Promise<boolean>, asset: ManifestAsset, isComplete: boolean) => void
  /** Waits for what is on its way, then tells of the run; for half a minute at most. */
  readonly runEnded: (assets: readonly ManifestAsset[], faults: number) => Promise<void>
  /** Gives up what is still on its way. */
  readonly close: () => void
}

export function createCallbacks(
  prepared: PreparedRun,
  options: RunOptions,
  ledger: Ledger,
  emit: EmitRunEvent,
): Callbacks {
  const { callback } = prepared.sheet
  const { dryRun, env, allowPrivateUrls, signal } = options
  if (callback === null || dryRun) {
    return { isOwedByUnits: false, unitSent: () => {}, runEnded: () => Promise.resolve(), close: () => {} }
  }
  const inWork = new Set<Promise<void>>()
  const giveUp = new AbortController()
  const notifier = createNotifier({
    callback,
    secret: env[callback.secretEnv],
    allowPrivate: allowPrivateUrls,
    emit,
    signal: AbortSignal.any([signal, giveUp.signal]),
  })
  const close = () => giveUp.abort()
  const recordOwed = async (key: string, callbackOwed: true | undefined): Promise<void> => {
    const unit = ledger.units.get(key)
    if (!unit || unit.callbackOwed === callbackOwed) return
    try {
      await ledger.renewUnit(key, { ...unit, callbackOwed })
    } catch (error) {
      const risk = callbackOwed ? 'may be lost' : 'was delivered and will be again'
      const message = `The callback about ${key} ${risk}: ${messageOf(error)}`
      emit({ type: 'warning', code: 'W_CALLBACK_FAILED', message })
    }
  }
  const notify = async (key: string, sent: Promise<boolean>, asset: ManifestAsset, isComplete: boolean) => {
    // Units of a dry run owe nothing until now.
    await recordOwed(key, true)
    if (!(await sent)) return
    const status = isComplete ? 'completed' : 'partial'
    if (await notifier.post(prepared.version, status, [asset])) await recordOwed(key, undefined)
  }
  return {
    isOwedByUnits: callback.on === 'unit',
    unitSent(key, sent, asset, isComplete) {
      if (callback.on !== 'unit') return
      const notified = notify(key, sent, asset, isComplete)
      inWork.add(notified)
      void notified.finally(() => inWork.delete(notified))
    },
    async runEnded(assets, faults) {
      const timer = setTimeout(close, LAST_CALLS_MS)
      try {
        await Promise.all(inWork)
        if (callback.on === 'run' && !signal.aborted) {
          const status = faults === 0 ? 'completed' : assets.length > 0 ? 'partial' : 'failed'
          await notifier.post(prepared.version, status, assets)
        }
      } finally {
        clearTimeout(timer)
      }
      notifier.tellRest()
    },
    close,
  }
}

/**
 * Looks where the callback's name leads, before any model loads. A dry run asks nobody.
 * @throws PregenError `E_CALLBACK_URL` for a private address, unless such are allowed
 */
export async function checkCallbackTarget({ sheet }: PreparedRun, options: RunOptions): Promise<void> {
  if (sheet.callback === null || options.dryRun) return
  const { url, locate } = sheet.callback
  await checkCallbackHost(url, { allowPrivate: options.allowPrivateUrls }, locate)
}
