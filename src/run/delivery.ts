/** What becomes of a unit once it is recorded: it goes into the bucket, and the sheet's callback is told of it. */
import type { LedgerFile } from '../artifacts/ledger.ts'
import type { ManifestAsset } from '../artifacts/manifest.ts'
import type { Callbacks } from './callbacks.ts'
import type { Sender } from './sender.ts'

export interface Delivery {
  /** Whether a unit that is recorded owes a call to the sheet's callback. */
  readonly owesCalls: boolean
  /**
   * Hands a recorded unit on and goes on by itself; never rejects.
   * @param isComplete false: a step picture is missing, so there is no `timing.json`
   * @returns whether all its files stand in the bucket; true where there is none
   */
  readonly deliver: (
    key: string,
    files: readonly LedgerFile[],
    asset: ManifestAsset,
    isComplete: boolean,
  ) => Promise<boolean>
}

export function createDelivery(sender: Sender, callbacks: Callbacks): Delivery {
  return {
    owesCalls: callbacks.isOwedByUnits,
    deliver(key, files, asset, isComplete) {
      const sent = sender.send(key, files)
      callbacks.unitSent(key, sent, asset, isComplete)
      return sent
    },
  }
}
