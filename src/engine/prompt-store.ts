/**
 * Conditioning of every distinct prompt, from the time the text encoders run until the pictures are drawn.
 * What fits a memory budget stays there; the rest lies in one scratch file, so a night's thousand SD3 prompts
 * (2.7 MB each and more) do not grow the process.
 */
import { randomBytes } from 'node:crypto'
import { closeSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { openFolder, PRIVATE_FILE } from '../artifacts/confined-folder.ts'
import { confine } from '../artifacts/confinement.ts'
import { errorCode } from '../errors.ts'
import type { PromptConditioning } from '../pipelines/pipeline.ts'
import type { Tensor } from '../tensor/tensor.ts'
import {
  bytesOf,
  readStoredPrompt,
  type StoredPrompt,
  type TensorKey,
  type TensorPlace,
} from './stored-prompt.ts'

const TENSOR_KEYS: readonly TensorKey[] = [
  'promptEmbeds',
  'pooledPromptEmbeds',
  'negativePromptEmbeds',
  'negativePooledPromptEmbeds',
]

type Entry =
  | { readonly kind: 'memory'; readonly conditioning: PromptConditioning }
  | {
      readonly kind: 'file'
      readonly tensors: Readonly<Record<TensorKey, TensorPlace | null>>
      /** What is not a tensor stays in memory. */
      readonly rest: Omit<PromptConditioning, TensorKey>
    }
  | { readonly kind: 'stored'; readonly stored: StoredPrompt }

export interface PromptStore {
  readonly put: (key: string, conditioning: PromptConditioning) => void
  /** A prompt set that stays where it is stored, in a file that is not this store's to remove. */
  readonly putStored: (key: string, stored: StoredPrompt) => void
  /** @throws Error for a key that was never put */
  readonly get: (key: string) => PromptConditioning
  /** Drops one prompt set; what it had in the scratch file stays there until all is cleared. */
  readonly forget: (key: string) => void
  /** Forgets everything and removes the scratch file. */
  readonly clear: () => void
}

export function createPromptStore(spillFolder: string, budgetBytes = 256 * 1024 * 1024): PromptStore {
  const entries = new Map<string, Entry>()
  let heldBytes = 0
  let fileEnd = 0
  let file: number | null = null
  // Named as temporary files are: what a killed run leaves, the next one sweeps.
  const name = `.pregen-${process.pid}-${randomBytes(6).toString('hex')}.tmp`
  const path = join(spillFolder, name)
  /** Something done in the very folder, be its path a link by now. */
  const inFolder = <T>(work: (path: string) => T): T => {
    const folder = openFolder(confine(dirname(spillFolder)), spillFolder)
    try {
      return work(folder.at(name))
    } finally {
      folder.close()
    }
  }

  const spill = (tensor: Tensor | null): TensorPlace | null => {
    if (tensor === null) return null
    file ??= inFolder((at) => openSync(at, 'wx+', PRIVATE_FILE))
    const bytes = bytesOf(tensor.data)
    const offset = fileEnd
    for (let written = 0; written < bytes.length; ) {
      written += writeSync(file, bytes, written, bytes.length - written, offset + written)
    }
    fileEnd += bytes.length
    return { offset, dims: tensor.dims }
  }

  const recall = (spilled: TensorPlace | null): Tensor | null => {
    if (spilled === null || file === null) return null
    const data = new Float32Array(spilled.dims.reduce((size, dim) => size * dim, 1))
    const bytes = bytesOf(data)
    for (let done = 0; done < bytes.length; ) {
      const count = readSync(file, bytes, done, bytes.length - done, spilled.offset + done)
      if (count === 0) throw new Error(`${path} ended early`)
      done += count
    }
    return { data, dims: spilled.dims }
  }

  const forget = (key: string): void => {
    const entry = entries.get(key)
    if (entry?.kind === 'memory') heldBytes -= sizeOf(entry.conditioning)
    entries.delete(key)
  }

  return {
    put(key, conditioning) {
      forget(key)
      const size = sizeOf(conditioning)
      if (heldBytes + size <= budgetBytes) {
        heldBytes += size
        entries.set(key, { kind: 'memory', conditioning })
        return
      }
      const { promptEmbeds, pooledPromptEmbeds, negativePromptEmbeds, negativePooledPromptEmbeds, ...rest } =
        conditioning
      const tensors = {
        promptEmbeds: spill(promptEmbeds),
        pooledPromptEmbeds: spill(pooledPromptEmbeds),
        negativePromptEmbeds: spill(negativePromptEmbeds),
        negativePooledPromptEmbeds: spill(negativePooledPromptEmbeds),
      }
      entries.set(key, { kind: 'file', tensors, rest })
    },
    putStored(key, stored) {
      forget(key)
      entries.set(key, { kind: 'stored', stored })
    },
    get(key) {
      const entry = entries.get(key)
      if (!entry) throw new Error(`no conditioning was stored for prompt set ${key}`)
      if (entry.kind === 'memory') return entry.conditioning
      if (entry.kind === 'stored') return readStoredPrompt(entry.stored)
      const promptEmbeds = recall(entry.tensors.promptEmbeds)
      if (promptEmbeds === null) throw new Error(`the scratch file of prompt set ${key} is gone`)
      return {
        ...entry.rest,
        promptEmbeds,
        pooledPromptEmbeds: recall(entry.tensors.pooledPromptEmbeds),
        negativePromptEmbeds: recall(entry.tensors.negativePromptEmbeds),
        negativePooledPromptEmbeds: recall(entry.tensors.negativePooledPromptEmbeds),
      }
    },
    forget,
    clear() {
      entries.clear()
      heldBytes = 0
      fileEnd = 0
      if (file === null) return
      closeSync(file)
      file = null
      try {
        inFolder(unlinkSync)
      } catch (error) {
        if (errorCode(error) !== 'ENOENT') throw error
      }
    },
  }
}

function sizeOf(conditioning: PromptConditioning): number {
  return TENSOR_KEYS.reduce((sum, name) => sum + (conditioning[name]?.data.byteLength ?? 0), 0)
}
