import { mkdirSync, readFileSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { expect, test } from 'vitest'
import { mapWeights } from '../../src/model/mapped-weights.ts'
import { readOnnxHeader } from '../../src/model/onnx-header.ts'
import { createModelSession, createRunMeter } from '../../src/model/session.ts'
import { scratchFolder } from '../support/scratch.ts'
import { ELEMENT, onnxModel, type TensorSpec } from './onnx-builder.ts'

const folder = scratchFolder()
const provider = { name: 'cpu', deviceId: 0, reason: 'asked for' } as const

/** 64 channels of 3 × 3 over 64: 147 456 bytes, a layout that ONNX Runtime changes. */
const convolution = floats(64 * 64 * 9)
const matrix = floats(256 * 256)

function floats(length: number): Float32Array {
  return Float32Array.from({ length }, (_, i) => Math.sin(i * 0.7) / 8)
}

const weight = (name: string, dims: number[], data: Float32Array): TensorSpec => ({
  name,
  dims,
  data: new Uint8Array(data.buffer),
})

/** A convolution of [1, 64, 16, 16] and a product of its rows with a matrix. */
function write(name: string, weights: readonly TensorSpec[]): string {
  const path = join(folder, name)
  const value = (title: string, dims: (string | number)[]) => ({ name: title, type: ELEMENT.float32, dims })
  const model = onnxModel({
    inputs: [value('x', [1, 64, 16, 16])],
    outputs: [value('y', ['a', 'b', 'c', 'd']), value('z', ['m', 'n'])],
    nodes: [
      ['Conv', ['x', 'kernel'], ['y']],
      ['Flatten', ['x'], ['flat']],
      ['Slice', ['flat', 'from', 'to', 'axis'], ['row']],
      ['MatMul', ['row', 'matrix'], ['z']],
    ],
    weights: [
      ...weights,
      ...Object.entries({ from: 0, to: 256, axis: 1 }).map(([title, at]) => ({
        name: title,
        type: ELEMENT.int64,
        data: new Uint8Array(BigInt64Array.of(BigInt(at)).buffer),
      })),
    ],
  })
  writeFileSync(path, model)
  return path
}

const whole = write('whole.onnx', [
  weight('kernel', [64, 64, 3, 3], convolution),
  weight('matrix', [256, 256], matrix),
])

test('large weights become references to their bytes in the file, small ones stay', async () => {
  const mapped = mapWeights(whole)
  const slim = join(folder, 'slim.onnx')
  writeFileSync(slim, mapped!.model)
  expect(mapped!.model.length).toBeLessThan(2000)
  const header = readOnnxHeader(slim)
  expect(header.externalData.map(({ tensor, location }) => [tensor, location])).toEqual([
    ['kernel', 'whole.onnx'],
    ['matrix', 'whole.onnx'],
  ])
  // Nothing aligns numbers inside a model.
  expect(header.externalData.some(({ offset }) => offset % 4 !== 0)).toBe(true)
  const file = readFileSync(whole)
  for (const [index, { offset, length }] of header.externalData.entries()) {
    const numbers = [convolution, matrix][index]!
    expect(file.subarray(offset, offset + length!).equals(new Uint8Array(numbers.buffer))).toBe(true)
  }
  const original = readOnnxHeader(whole)
  expect(header).toEqual({ ...original, externalData: header.externalData, sizeBytes: mapped!.model.length })
})

test('a model gives the same numbers as when ONNX Runtime loads the file itself', async () => {
  const links = join(folder, 'links')
  mkdirSync(links)
  const link = join(links, 'model.onnx')
  symlinkSync(whole, link)
  const x = Float32Array.from({ length: 64 * 256 }, (_, i) => Math.cos(i))
  const direct = await InferenceSession.create(whole, { graphOptimizationLevel: 'all' })
  const expected = await direct.run({ x: new Tensor('float32', x, [1, 64, 16, 16]) })
  await direct.release()
  for (const path of [whole, link]) {
    const session = await createModelSession(path, { provider, meter: createRunMeter(), label: 'model' })
    const input = session.createInput('x', [1, 64, 16, 16])
    input.write(x)
    const { y, z } = await session.run([input], ['y', 'z'])
    expect(y.data).toEqual(expected.y!.data)
    expect(z.data).toEqual(expected.z!.data)
    await session.dispose()
  }
})

test('a model without large weights, or with data files, is left to ONNX Runtime', async () => {
  expect(mapWeights(write('small.onnx', []))).toBeNull()
  const inline = weight('kernel', [64, 64, 3, 3], convolution)
  expect(
    mapWeights(write('beside.onnx', [inline, { name: 'matrix', external: { location: 'data' } }])),
  ).toBeNull()
})

test('a file that is cut off fails to load with its name', async () => {
  const path = write('cut.onnx', [weight('kernel', [64, 64, 3, 3], convolution)])
  truncateSync(path, 140_000)
  const options = { provider, meter: createRunMeter(), label: 'unet' }
  await expect(createModelSession(path, options)).rejects.toMatchObject({
    code: 'E_MODEL_LOAD_FAILED',
    location: { file: path },
  })
})
