import { readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { isTemporaryName } from '../../src/artifacts/temporary-name.ts'
import { createPromptStore } from '../../src/engine/prompt-store.ts'
import { openPromptFile } from '../../src/engine/stored-prompt.ts'
import type { PromptConditioning } from '../../src/pipelines/pipeline.ts'
import { temporaryFolder } from '../support/temp.ts'

const tensorOf = (first: number, size = 4) => ({
  data: Float32Array.from({ length: size }, (_, index) => first + index),
  dims: [1, size],
})

const conditioningOf = (first: number): PromptConditioning => ({
  promptEmbeds: tensorOf(first),
  pooledPromptEmbeds: tensorOf(first + 100, 2),
  negativePromptEmbeds: null,
  negativePooledPromptEmbeds: null,
  half: first % 2 === 0,
  warnings: [{ code: 'W_PROMPT_TRUNCATED', message: `of ${first}` }],
})

describe('the prompt store', () => {
  it('gives back what was put, from memory and from its scratch file', async () => {
    const folder = await temporaryFolder()
    // Room for one set of 24 bytes: the others are spilled.
    const store = createPromptStore(folder, 30)
    for (const first of [1, 2, 3]) await store.put(`key-${first}`, conditioningOf(first))
    expect(readdirSync(folder)).toHaveLength(1)
    for (const first of [3, 1, 2]) expect(store.get(`key-${first}`)).toEqual(conditioningOf(first))
    await store.clear()
  })

  it('makes no file while everything fits', async () => {
    const folder = await temporaryFolder()
    await createPromptStore(folder).put('key', conditioningOf(1))
    expect(readdirSync(folder)).toEqual([])
  })

  it('forgets all when it is cleared, and can be filled again', async () => {
    const folder = await temporaryFolder()
    const store = createPromptStore(folder, 0)
    await store.put('key', conditioningOf(1))
    await store.clear()
    expect(readdirSync(folder)).toEqual([])
    expect(() => store.get('key')).toThrow('key')
    await store.put('key', conditioningOf(2))
    expect(store.get('key')).toEqual(conditioningOf(2))
    await store.clear()
  })

  it('reads what another process encoded where that one put it, and leaves the file alone', async () => {
    const path = join(await temporaryFolder(), 'prompts.tmp')
    const file = await openPromptFile(path)
    const stored = []
    for (const first of [1, 2]) stored.push(await file.add(conditioningOf(first)))
    await file.close()
    const store = createPromptStore(await temporaryFolder())
    // As they come from the other process.
    for (const [place, one] of structuredClone(stored).entries()) store.putStored(`key-${place + 1}`, one)
    for (const first of [2, 1]) expect(store.get(`key-${first}`)).toEqual(conditioningOf(first))
    await store.clear()
    expect(readdirSync(dirname(path))).toEqual(['prompts.tmp'])
  })

  it('leaves a file that the next run sweeps, should the process be killed', async () => {
    const folder = await temporaryFolder()
    await createPromptStore(folder, 0).put('key', conditioningOf(1))
    expect(readdirSync(folder).every(isTemporaryName)).toBe(true)
  })
})
