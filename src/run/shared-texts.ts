/** The prompts of a model that several devices draw: encoded on one of them, and read by the others from a scratch file. */
import { join } from 'node:path'
import { removeScratch } from '../artifacts/scratch-file.ts'
import { temporaryName } from '../artifacts/temporary-name.ts'
import type { EncodedPrompt } from '../engine/inference-calls.ts'
import { type PromptTimes, promptTimes } from './generate-batch.ts'

export interface Texts {
  readonly prompts: readonly EncodedPrompt[]
  /** Of all devices: a prompt's time goes to one unit. */
  readonly times: PromptTimes
}

export interface SharedTexts {
  /**
   * The asker's turn to encode, into the file of this path; `give` or `giveUp` follows. null where another device does, or
   * has done.
   */
  readonly begin: () => string | null
  readonly give: (texts: Texts) => void
  readonly giveUp: () => void
  /** Of the device whose turn it is, or was; null: it could not encode them, and another is to try. */
  readonly ofAnother: () => Promise<Texts | null>
  /** Removes the scratch files. */
  readonly close: () => Promise<void>
}

/** @param folder of the run's own, where scratch files lie */
export function createSharedTexts(folder: string): SharedTexts {
  const paths: string[] = []
  let turn: PromiseWithResolvers<Texts | null> | null = null
  return {
    begin() {
      if (turn !== null) return null
      turn = resolvers()
      const path = join(folder, temporaryName())
      paths.push(path)
      return path
    },
    give: (texts) => turn?.resolve(texts),
    giveUp() {
      turn?.resolve(null)
      turn = null
    },
    ofAnother: async () => (await turn?.promise) ?? null,
    async close() {
      for (const path of paths.splice(0)) await removeScratch(path)
    },
  }
}

export function textsOf(prompts: readonly EncodedPrompt[]): Texts {
  return { prompts, times: promptTimes(new Map(prompts.map((prompt) => [prompt.key, prompt]))) }
}

interface PromiseWithResolvers<T> {
  readonly promise: Promise<T>
  readonly resolve: (value: T) => void
}

function resolvers<T>(): PromiseWithResolvers<T> {
  let resolve: (value: T) => void = () => undefined
  const promise = new Promise<T>((fulfil) => {
    resolve = fulfil
  })
  return { promise, resolve }
}
