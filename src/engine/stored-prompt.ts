/**
 * Encoded prompts that lie in a scratch file of the run: those that a device has no memory for, and those that one device
 * encodes for the others that draw the same model, so that none of them loads the text encoders.
 */
import { openScratch, readScratch, type ScratchFile } from '../artifacts/scratch-file.ts'
import type { PromptConditioning } from '../pipelines/pipeline.ts'
import { bytesOfFloats, sizeOf, type Tensor } from '../tensor/tensor.ts'

type TensorKey = 'promptEmbeds' | 'pooledPromptEmbeds' | 'negativePromptEmbeds' | 'negativePooledPromptEmbeds'

/** A tensor of a file, float32 in this machine's order of bytes. */
interface TensorPlace {
  readonly offset: number
  readonly dims: readonly number[]
}

/** Plain data: it goes from process to process. */
export interface StoredPrompt {
  readonly path: string
  readonly tensors: Readonly<Record<TensorKey, TensorPlace | null>>
  readonly rest: Omit<PromptConditioning, TensorKey>
}

export interface PromptFile {
  readonly add: (conditioning: PromptConditioning) => Promise<StoredPrompt>
  /** One that was added here. @throws Error when the file ends early */
  readonly read: (stored: StoredPrompt) => PromptConditioning
  readonly close: () => Promise<void>
}

/** @param path of the run's own folder; there is no such file yet */
export async function openPromptFile(path: string): Promise<PromptFile> {
  const file = await openScratch(path)
  const place = async (tensor: Tensor | null): Promise<TensorPlace | null> =>
    tensor && { offset: await file.append(bytesOfFloats(tensor.data)), dims: tensor.dims }
  return {
    async add({
      promptEmbeds,
      pooledPromptEmbeds,
      negativePromptEmbeds,
      negativePooledPromptEmbeds,
      ...rest
    }) {
      const tensors = {
        promptEmbeds: await place(promptEmbeds),
        pooledPromptEmbeds: await place(pooledPromptEmbeds),
        negativePromptEmbeds: await place(negativePromptEmbeds),
        negativePooledPromptEmbeds: await place(negativePooledPromptEmbeds),
      }
      return { path, tensors, rest }
    },
    read: (stored) => readWith(file.read, stored),
    close: file.close,
  }
}

/** One that another process added. @throws Error when the file is gone, or ends early */
export function readStoredPrompt(stored: StoredPrompt): PromptConditioning {
  return readWith((offset, length) => readScratch(stored.path, offset, length), stored)
}

function readWith(readBytes: ScratchFile['read'], { tensors, rest }: StoredPrompt): PromptConditioning {
  const read = (place: TensorPlace | null): Tensor | null => {
    if (place === null) return null
    const bytes = readBytes(place.offset, sizeOf(place.dims) * Float32Array.BYTES_PER_ELEMENT)
    return { data: new Float32Array(bytes.buffer), dims: place.dims }
  }
  const promptEmbeds = read(tensors.promptEmbeds)
  if (promptEmbeds === null) throw new Error('a prompt was stored without its embeddings')
  return {
    ...rest,
    promptEmbeds,
    pooledPromptEmbeds: read(tensors.pooledPromptEmbeds),
    negativePromptEmbeds: read(tensors.negativePromptEmbeds),
    negativePooledPromptEmbeds: read(tensors.negativePooledPromptEmbeds),
  }
}
