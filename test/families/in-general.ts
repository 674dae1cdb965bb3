/** What families of unequal prompts promise whatever is drawn: solo pictures, any size, any prompt. */
import { expect } from 'vitest'
import type { GenerateRequest, Pipeline, StepInfo } from '../../src/pipelines/pipeline.ts'
import { maxAbs } from '../pipelines/oracle.ts'
import fc from '../support/seed.ts'

/** Pictures of one call are those that each request gives alone: within a level, to rounding. @returns the pictures */
export async function expectSoloPictures(pipeline: Pipeline, requests: readonly GenerateRequest[]) {
  const together = await pipeline.generate(requests)
  for (const [index, each] of requests.entries()) {
    const [alone] = await pipeline.generate([each])
    expect(maxAbs(together[index]!.latents.data, alone!.latents.data)).toBeLessThan(1e-3)
    expect(maxAbs(together[index]!.frames[0].rgb, alone!.frames[0].rgb)).toBeLessThanOrEqual(1)
  }
  return together
}

export interface AnySize {
  readonly pipeline: Pipeline
  /** Encodes both texts, asserts what it must of them, and asks for one step at this size. */
  readonly request: (size: {
    readonly width: number
    readonly height: number
    readonly text: string
    readonly negative: string
  }) => Promise<GenerateRequest>
  /** Of the latents' dims, [1, channels, height / 8, width / 8]. */
  readonly channels: number
}

/** Sides from 64 to 512 in steps of 16; prompts from none to 2,000 words. */
export async function expectAnySize({ pipeline, request, channels }: AnySize): Promise<void> {
  const side = fc.integer({ min: 4, max: 32 }).map((n) => 16 * n)
  const prompt = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 60 }),
    fc.integer({ min: 0, max: 2000 }).map((words) => 'fox '.repeat(words)),
    fc.constant('<|im_end|><|im_start|><|endoftext|><think>'),
  )
  await fc.assert(
    fc.asyncProperty(side, side, prompt, prompt, async (width, height, text, negative) => {
      const dims: StepInfo['dims'][] = []
      const asked = await request({ width, height, text, negative })
      const [picture] = await pipeline.generate([asked], { onStep: (info) => void dims.push(info.dims) })
      expect(picture!.frames[0].rgb).toHaveLength(3 * width * height)
      expect(dims).toEqual([[1, channels, height / 8, width / 8]])
    }),
    { numRuns: 10, seed: 15 },
  )
}
