import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import {
  executionProvider,
  type ProviderName,
  probeProvider,
  resolveProvider,
} from '../../src/model/providers.ts'
import { createModelSession, createRunMeter, type ModelSession } from '../../src/model/session.ts'
import { scratchFolder } from '../support/scratch.ts'
import { ELEMENT, type ModelSpec, onnxModel } from './onnx-builder.ts'

const folder = scratchFolder()
const provider = { name: 'cpu', deviceId: 0, reason: 'asked for' } as const
const meter = createRunMeter()
let files = 0

function open(spec: ModelSpec): Promise<ModelSession> {
  const path = join(folder, `${files++}.onnx`)
  writeFileSync(path, onnxModel(spec))
  return createModelSession(path, { provider, meter, label: 'model' })
}

/** A model that hands its input on. */
function echo(type: number): Promise<ModelSession> {
  const value = (name: string) => ({ name, type, dims: ['n'] })
  return open({ inputs: [value('x')], outputs: [value('y')], nodes: [['Identity', ['x'], ['y']]] })
}

describe('values cross in the type that the model declares', () => {
  test.each([
    ['float32', ELEMENT.float32, [1.5, -2.25, 3.1], [1.5, -2.25, Math.fround(3.1)]],
    ['float16', ELEMENT.float16, [1.5, -2.25, 70_000], [1.5, -2.25, Number.POSITIVE_INFINITY]],
    ['int32', ELEMENT.int32, [1.9, -2.9, 49_407], [1, -2, 49_407]],
    ['int64', ELEMENT.int64, [1.9, -2.9, 49_407], [1, -2, 49_407]],
  ])('%s', async (type, element, given, expected) => {
    const session = await echo(element)
    expect(session.input('x')).toEqual({ name: 'x', type, dims: ['n'] })
    const input = session.createInput('x', [3])
    input.write(given)
    const { y } = await session.run([input], ['y'])
    expect([...y.data]).toEqual(expected)
    expect(y.dims).toEqual([3])
    input.write([7], 1)
    expect((await session.run([input], ['y'])).y.data[1]).toBe(7)
    await session.dispose()
  })
})

test('the time inside session.run is added up', async () => {
  const session = await echo(ELEMENT.float32)
  const { runs, runMs } = meter
  await session.run([session.createInput('x', [3])], ['y'])
  expect(meter.runs).toBe(runs + 1)
  expect(meter.runMs).toBeGreaterThan(runMs)
  expect(meter.loadMs).toBeGreaterThan(0)
  await session.dispose()
})

test('outputs live until the next run, or until they are freed', async () => {
  const session = await echo(ELEMENT.float32)
  const input = session.createInput('x', [3])
  input.write([1, 2, 3])
  const first = (await session.run([input], ['y'])).y
  expect([...first.data]).toEqual([1, 2, 3])
  const second = (await session.run([input], ['y'])).y
  expect([first.data.length, second.data.length]).toEqual([0, 3])
  session.freeOutputs()
  expect(second.data.length).toBe(0)
  expect([...(await session.run([input], ['y'])).y.data]).toEqual([1, 2, 3])
  await session.dispose()
})

test('a session knows its own names', async () => {
  const session = await echo(ELEMENT.float32)
  expect(session.input('z')).toBeNull()
  expect(session.hasOutput('y')).toBe(true)
  expect(session.hasOutput('x')).toBe(false)
  expect(() => session.createInput('z', [1])).toThrow('model has no input "z"')
  await session.dispose()
})

test('memory that runs out is told with its size', async () => {
  const session = await open({
    inputs: [
      { name: 'x', dims: [1] },
      { name: 'shape', type: ELEMENT.int64, dims: [1] },
    ],
    outputs: [{ name: 'y', dims: ['n'] }],
    nodes: [['Expand', ['x', 'shape'], ['y']]],
  })
  const shape = session.createInput('shape', [1])
  shape.write([2 ** 45])
  await expect(session.run([session.createInput('x', [1]), shape], ['y'])).rejects.toMatchObject({
    code: 'E_OUT_OF_MEMORY',
    message: 'model: this machine ran out of memory while running, asking for 134217728 MiB more.',
  })
  await session.dispose()
})

test('what fails inside a run, and a file that does not load, say whose it is', async () => {
  const session = await open({
    inputs: [
      { name: 'x', dims: ['n'] },
      { name: 'z', dims: ['m'] },
    ],
    outputs: [{ name: 'y', dims: ['n'] }],
    nodes: [['Add', ['x', 'z'], ['y']]],
  })
  const inputs = [session.createInput('x', [3]), session.createInput('z', [4])]
  await expect(session.run(inputs, ['y'])).rejects.toMatchObject({
    code: 'E_INFERENCE_FAILED',
    message: 'model failed: sizes within the model do not fit each other, 3 and 4.',
    help: expect.stringMatching(/width and height/),
  })
  await session.dispose()
  await expect(open({ nodes: [['NoSuchOperator', ['x'], ['y']]] })).rejects.toMatchObject({
    code: 'E_MODEL_LOAD_FAILED',
    message: expect.stringMatching(/^model does not load: .+\.$/),
  })
})

describe('providers', () => {
  test('the CPU works, and auto always finds one', async () => {
    expect(await resolveProvider('cpu')).toEqual({ ...provider, passedOver: [] })
    const auto = await resolveProvider('auto')
    expect((await probeProvider(auto.name, auto.deviceId)).works).toBe(true)
    expect(auto.reason).not.toBe('')
  })

  test('those with several cards are told which', () => {
    const [cuda, dml] = (['cuda', 'dml'] as const).map((name) => executionProvider({ name, deviceId: 1 }))
    expect([cuda, dml]).toEqual([
      { name: 'cuda', deviceId: 1 },
      { name: 'dml', deviceId: 1 },
    ])
    expect(executionProvider({ name: 'webgpu', deviceId: 1 })).toBe('webgpu')
  })

  test.runIf(process.platform === 'linux')(
    'one that is absent is an error with help, never a silent CPU',
    async () => {
      for (const name of ['dml', 'coreml'] satisfies ProviderName[]) {
        await expect(resolveProvider(name)).rejects.toMatchObject({
          code: 'E_PROVIDER_UNAVAILABLE',
          help: expect.stringContaining('--provider auto or cpu'),
        })
      }
    },
  )
})
