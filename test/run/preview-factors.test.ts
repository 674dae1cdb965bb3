import { cp, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readModelFolder } from '../../src/model/folder.ts'
import { findFactorFaults } from '../../src/run/preview-factors.ts'
import { SD_FACTS, unitOf } from '../plan/helpers.ts'
import { TINY_SD15 } from '../support/runs.ts'
import { temporaryFolder } from '../support/temp.ts'

const previews = { method: 'latent2rgb', every: 1, source: 'denoised', size: 'image' } as const

async function faultsWith(previewJson: string, method: 'latent2rgb' | 'full' = 'latent2rgb') {
  const path = join(await temporaryFolder(), 'model')
  await cp(TINY_SD15.path, path, { recursive: true })
  await writeFile(join(path, 'preview.json'), previewJson)
  const models = new Map([['backdrop', { folder: readModelFolder(path), facts: SD_FACTS }]])
  const faults = await findFactorFaults([unitOf({ previews: { ...previews, method } })], models)
  return faults.map(({ code }) => code)
}

const factors = (channels: number) =>
  JSON.stringify({ factors: new Array(channels).fill([0.1, 0.2, 0.3]), bias: [0, 0, 0] })

describe('the factors of a model, before it loads', () => {
  it('are for its own number of latent channels', async () => {
    expect(await faultsWith(factors(4))).toEqual([])
    expect(await faultsWith(factors(16))).toEqual(['E_PREVIEW_CHANNELS'])
  })

  it('make sense', async () => {
    expect(await faultsWith('{ no json')).toEqual(['E_PREVIEW_JSON'])
  })

  it('are not asked for where no unit needs them', async () => {
    expect(await faultsWith('{ no json', 'full')).toEqual([])
  })
})
