import { describe, expect, it } from 'vitest'
import { PregenErrors } from '../../src/errors.ts'
import { readModelFolder } from '../../src/model/folder.ts'
import { memoryFacts } from '../../src/model/memory-facts.ts'
import { memoryOf, requireFit } from '../../src/run/memory-fit.ts'
import type { PreparedModel } from '../../src/run/prepared.ts'
import { SD_FACTS, unitOf } from '../plan/helpers.ts'
import { TINY_SD15 } from '../support/runs.ts'

const GIB = 2 ** 30

function preparedOf(width: number, denoiserBytes: number) {
  const folder = readModelFolder(TINY_SD15.path)
  const facts = memoryFacts(folder)
  const memory = { ...facts, denoiser: { bytes: denoiserBytes, half: false } }
  const model: PreparedModel = {
    ...{ id: 'big', folder, provider: undefined, pipeline: undefined, previewDecoder: undefined },
    facts: { ...SD_FACTS, memory },
  }
  const unit = unitOf({ model: 'big', width, height: width, batch: 1 })
  return {
    models: new Map([['big', model]]),
    units: [{ unit, index: 0, key: 'k', digest: 'd', parts: {} }],
  }
}

const faultOf = (work: () => void) => {
  try {
    work()
  } catch (error) {
    if (error instanceof PregenErrors) return error.errors[0]
    throw error
  }
  return undefined
}

describe('a run that does not fit into memory', () => {
  it('is a fault on the CPU alone, with what would fit', () => {
    const prepared = preparedOf(512, 12 * GIB)
    const on = (provider: 'cpu' | 'cuda', bytes: number) => () =>
      requireFit(prepared, { provider, known: {}, bytes })
    expect(faultOf(on('cpu', 16 * GIB))).toBeUndefined()
    expect(faultOf(on('cuda', 4 * GIB))).toBeUndefined()
    expect(faultOf(on('cpu', 4 * GIB))).toMatchObject({
      code: 'E_MEMORY_TOO_SMALL',
      exitCode: 2,
      help: expect.stringMatching(
        /^Its weights alone take 12\.\d GiB: .*a GPU, where it takes 1\d\.\d GiB: a card of 16 GB\.$/,
      ),
    })
  })

  it('counts a process a device, and auto where the CPU is all that there is', () => {
    const prepared = preparedOf(256, 5 * GIB)
    const fit = { provider: 'auto', bytes: 9 * GIB } as const
    const noCuda = { cuda: { library: null, problem: { problem: 'none', help: '' } } }
    const fault = (known: object, devices: number[]) =>
      faultOf(() => requireFit(prepared, { ...fit, known, devices }))?.code
    expect(fault(noCuda, [0])).toBeUndefined()
    expect(fault({}, [0, 1, 2])).toBeUndefined()
    if (process.platform === 'linux') expect(fault(noCuda, [0, 1, 2])).toBe('E_MEMORY_TOO_SMALL')
  })

  it('tells of the picture that takes most', () => {
    const small = preparedOf(64, GIB)
    const large = preparedOf(256, GIB)
    const units = [...small.units, ...large.units]
    expect(memoryOf({ ...large, units })).toMatchObject([{ model: 'big', picture: { width: 256 } }])
  })
})
