import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { findVisibleCards, type VisibleCards } from '../../src/cuda/visible-cards.ts'
import { type ChooseDevicesOptions, chooseDevices } from '../../src/engine/choose-devices.ts'
import type { RequestedProvider } from '../../src/model/providers.ts'
import { temporaryFolder } from '../support/temp.ts'

const CARDS = ['GPU-aa11', 'GPU-aa22', 'GPU-bb33']

/** A machine whose nvidia-smi lists cards, or fails. */
async function machine(cards: readonly string[] | null, deviceFiles: readonly string[] = []) {
  const folder = await temporaryFolder()
  const command = join(folder, 'nvidia-smi')
  const lines = (cards ?? []).map((uuid, place) => `echo "${uuid}, ${(place + 1) * 10_000}"`)
  await writeFile(command, `#!/bin/sh\n${cards === null ? 'exit 9' : lines.join('\n')}\n`)
  await chmod(command, 0o755)
  const devFolder = join(folder, 'dev')
  await mkdir(devFolder)
  for (const name of deviceFiles) await writeFile(join(devFolder, name), '')
  return (visible?: string) =>
    findVisibleCards({ PATH: process.env.PATH, CUDA_VISIBLE_DEVICES: visible }, { command, devFolder })
}

describe('the cards that CUDA sees', () => {
  it.each<[visible: string | undefined, count: number, memoryMib: number | null]>([
    [undefined, 3, 10_000],
    ['1', 1, 20_000],
    ['2,1', 2, 20_000],
    [' 2 , 1 ', 2, 20_000],
    ['GPU-bb', 1, 30_000],
    ['GPU-aa22,0', 2, 10_000],
    // Two cards begin so: CUDA takes neither.
    ['GPU-aa', 0, null],
    // Nothing counts from the first that is none.
    ['1,9,2', 1, 20_000],
    ['0,0', 1, 10_000],
    ['-1', 0, null],
    ['', 0, null],
    ['NoDevFiles', 0, null],
    ['MIG-7d2a', 1, null],
    ['MIG-7d2a,MIG-7d2b', 1, null],
  ])('with CUDA_VISIBLE_DEVICES=%j are %i', async (visible, count, memoryMib) => {
    const find = await machine(CARDS)
    expect(await find(visible)).toEqual({ count, memoryMib, isFiltered: count < 3 })
  })

  it("are counted by the kernel's files where nvidia-smi says nothing", async () => {
    const find = await machine(null, ['nvidia0', 'nvidia3', 'nvidiactl', 'nvidia-uvm'])
    expect(await find()).toEqual({ count: 2, memoryMib: null, isFiltered: false })
    expect(await (await machine(null))()).toBeNull()
    expect(await (await machine([]))()).toEqual({ count: 0, memoryMib: null, isFiltered: false })
  })
})

describe('the devices of a run', () => {
  const choose = (
    devices: ChooseDevicesOptions['devices'],
    provider: RequestedProvider,
    cards: Partial<VisibleCards> | null = {},
    others: Partial<ChooseDevicesOptions> = {},
  ) =>
    chooseDevices({
      ...{ devices, providers: new Set([provider]), known: {}, env: {} },
      findCards: async () => cards && { count: 3, memoryMib: 10_000, isFiltered: false, ...cards },
      ...others,
    })

  it('are every card, or the one device of what is no card', async () => {
    expect(await choose('all', 'cuda')).toEqual({ ids: [0, 1, 2], cardMemoryMib: 10_000 })
    expect(await choose('all', 'auto')).toEqual({ ids: [0, 1, 2], cardMemoryMib: 10_000 })
    for (const provider of ['cpu', 'webgpu', 'dml', 'coreml'] as const) {
      expect((await choose('all', provider)).ids).toBeUndefined()
    }
    expect((await choose('all', 'auto', { count: 0 })).ids).toBeUndefined()
    expect((await choose('all', 'auto', null)).ids).toBeUndefined()
    const known = { cuda: { library: null, problem: { problem: 'no driver', help: '' } } }
    expect((await choose('all', 'auto', {}, { known })).ids).toBeUndefined()
    const mixed = new Set<RequestedProvider>(['cpu', 'cuda'])
    expect((await choose('all', 'cpu', {}, { providers: mixed })).ids).toEqual([0, 1, 2])
  })

  it('are those that were named, each once and each there', async () => {
    expect((await choose([2, 0], 'cuda')).ids).toEqual([2, 0])
    // Two processes on one CPU.
    expect((await choose([0, 7], 'cpu')).ids).toEqual([0, 7])
    await expect(choose([0, 1, 0], 'cpu')).rejects.toMatchObject({
      code: 'E_DEVICES',
      message: expect.stringContaining('Device 0 is named twice'),
      help: 'One process draws on a device: --devices 0,1',
    })
    await expect(choose([0, 3], 'auto')).rejects.toMatchObject({
      code: 'E_DEVICES',
      message: 'There is no device 3: CUDA sees cards 0 to 2.',
    })
    const env = { CUDA_VISIBLE_DEVICES: '2' }
    await expect(choose([1], 'cuda', { count: 1, isFiltered: true }, { env })).rejects.toMatchObject({
      message: 'There is no device 1: CUDA sees one card, 0 with CUDA_VISIBLE_DEVICES=2.',
    })
    // Nobody says how many there are: the provider will.
    expect((await choose([5], 'cuda', null)).ids).toEqual([5])
  })

  it('asks nobody where nothing hangs on it', async () => {
    const findCards = () => Promise.reject(new Error('asked'))
    expect(await choose(undefined, 'cuda', {}, { findCards })).toEqual({
      ids: undefined,
      cardMemoryMib: null,
    })
    expect((await choose([0, 1], 'cpu', {}, { findCards })).ids).toEqual([0, 1])
    expect(await choose(undefined, 'auto', {}, { wantsMemory: true })).toEqual({
      ids: undefined,
      cardMemoryMib: 10_000,
    })
  })
})
