/**
 * Conditioning of every distinct prompt, from the time the text encoders run until the pictures are drawn.
 * What fits a memory budget stays there; the rest lies in one scratch file, so a night's thousand SD3 prompts
 * (2.7 MB each and more) do not grow the process.
 */
import { join } from 'node:path'
import { removeScratch } from '../artifacts/scratch-file.ts'
import { temporaryName } from '../artifacts/temporary-name.ts'
import type { PromptConditioning } from '../pipelines/pipeline.ts'
import { openPromptFile, type PromptFile, readStoredPrompt, type StoredPrompt } from './stored-prompt.ts'

interface Entry {
  /** In memory; 0 for what lies in a file. */
  readonly bytes: number
  readonly read: () => PromptConditioning
}

export interface PromptStore {
  readonly put: (key: string, conditioning: PromptConditioning) => Promise<void>
  /** A prompt set that stays where it is stored, in a file that is not this store's to remove. */
  readonly putStored: (key: string, stored: StoredPrompt) => void
  /** @throws Error for a key that was never put */
  readonly get: (key: string) => PromptConditioning
  /** Drops one prompt set; what it had in the scratch file stays there until all is cleared. */
  readonly forget: (key: string) => void
  /** Forgets everything and removes the scratch file. */
  readonly clear: () => Promise<void>
}

export function createPromptStore(spillFolder: string, budgetBytes = 256 * 1024 * 1024): PromptStore {
  const entries = new Map<string, Entry>()
  let heldBytes = 0
  let file: PromptFile | null = null
  const path = join(spillFolder, temporaryName())

  const forget = (key: string): void => {
    heldBytes -= entries.get(key)?.bytes ?? 0
    entries.delete(key)
  }

  return {
    async put(key, conditioning) {
      forget(key)
      const bytes = bytesOf(conditioning)
      if (heldBytes + bytes <= budgetBytes) {
        heldBytes += bytes
        entries.set(key, { bytes, read: () => conditioning })
        return
      }
      file ??= await openPromptFile(path)
      const { add, read } = file
      const stored = await add(conditioning)
      entries.set(key, { bytes: 0, read: () => read(stored) })
    },
    putStored(key, stored) {
      forget(key)
      entries.set(key, { bytes: 0, read: () => readStoredPrompt(stored) })
    },
    get(key) {
      const entry = entries.get(key)
      if (!entry) throw new Error(`no conditioning was stored for prompt set ${key}`)
      return entry.read()
    },
    forget,
    async clear() {
      entries.clear()
      heldBytes = 0
      const closing = file
      file = null
      if (closing === null) return
      await closing.close()
      await removeScratch(path)
    },
  }
}

function bytesOf({
  promptEmbeds,
  pooledPromptEmbeds,
  negativePromptEmbeds,
  negativePooledPromptEmbeds,
}: PromptConditioning): number {
  const tensors = [promptEmbeds, pooledPromptEmbeds, negativePromptEmbeds, negativePooledPromptEmbeds]
  return tensors.reduce((sum, tensor) => sum + (tensor?.data.byteLength ?? 0), 0)
}
