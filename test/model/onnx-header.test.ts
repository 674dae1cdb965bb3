import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { InferenceSession } from 'onnxruntime-node'
import { expect, test } from 'vitest'
import { readOnnxHeader } from '../../src/model/onnx-header.ts'
import { ProtobufError } from '../../src/model/protobuf-reader.ts'
import { scratchFolder } from '../support/scratch.ts'
import fc from '../support/seed.ts'
import { MODELS } from './fixtures.ts'
import { ELEMENT, onnxModel } from './onnx-builder.ts'

const folder = scratchFolder()

function written(bytes: Uint8Array): string {
  const path = join(folder, 'model.onnx')
  writeFileSync(path, bytes)
  return path
}

test.each(['sd15-tiny/unet', 'sd3-tiny/transformer', 'sdxl-tiny/text_encoder_2', 'lcm-tiny/vae_encoder'])(
  '%s: the header says what ONNX Runtime says after loading',
  async (component) => {
    const path = join(MODELS, component, 'model.onnx')
    const header = readOnnxHeader(path)
    const session = await InferenceSession.create(path)
    const names = (values: readonly { readonly name: string }[]) => values.map(({ name }) => name)
    const shapes = (values: readonly InferenceSession.ValueMetadata[]) =>
      values.map((value) =>
        value.isTensor ? { name: value.name, type: value.type, dims: [...value.shape] } : null,
      )
    expect(names(header.inputs)).toEqual([...session.inputNames])
    expect(names(header.outputs)).toEqual([...session.outputNames])
    expect(header.inputs).toEqual(shapes(session.inputMetadata))
    expect(header).toMatchObject({ opset: 18, weightTypes: ['float32'], externalData: [] })
    await session.release()
  },
)

test('versions, free dimensions, weights among the inputs and external data are read', () => {
  const external = { location: 'model.onnx_data', offset: 4096, length: 128 }
  const header = readOnnxHeader(
    written(
      onnxModel({
        opset: 21,
        irVersion: 10,
        inputs: [{ name: 'x', type: ELEMENT.float16, dims: ['batch', 4] }, { name: 'w' }],
        outputs: [{ name: 'y', type: ELEMENT.int64, dims: [] }],
        weights: [
          { name: 'w', external },
          { name: 'b', type: ELEMENT.bfloat16 },
        ],
      }),
    ),
  )
  expect(header.opset).toBe(21)
  expect(header.irVersion).toBe(10)
  expect(header.inputs).toEqual([{ name: 'x', type: 'float16', dims: ['batch', 4] }])
  expect(header.outputs).toEqual([{ name: 'y', type: 'int64', dims: [] }])
  expect(header.externalData).toEqual([{ tensor: 'w', ...external }])
  expect(header.weightTypes).toEqual(['float32', 'bfloat16'])
})

test('a model that is cut off anywhere is never taken for a whole one', () => {
  const whole = readFileSync(join(MODELS, 'sd15-tiny/vae_encoder/model.onnx'))
  const opsetBytes = 6
  fc.assert(
    fc.property(fc.integer({ min: 0, max: whole.length - 1 - opsetBytes }), (length) => {
      expect(() => readOnnxHeader(written(whole.subarray(0, length)))).toThrow(ProtobufError)
    }),
    { numRuns: 60 },
  )
})

test('arbitrary bytes are refused, or read, and never hang', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      const path = written(bytes)
      try {
        expect(readOnnxHeader(path).sizeBytes).toBe(bytes.length)
      } catch (thrown) {
        expect(thrown).toBeInstanceOf(ProtobufError)
      }
    }),
    { numRuns: 300 },
  )
})

test('a file of many jumps is read as one that is read in one piece', () => {
  const weights = Array.from({ length: 60 }, (_, index) => ({
    name: `weight ${index} ${'long '.repeat(index * 20)}`,
    data: new Uint8Array(index % 3 === 0 ? 8 : 9000 + 137 * index),
    ...(index % 5 === 0
      ? { external: { location: `part-${index}`, offset: 2 ** (index % 50), length: index } }
      : {}),
  }))
  const header = readOnnxHeader(
    written(onnxModel({ weights, inputs: weights.map(({ name }) => ({ name })), outputs: [{ name: 'y' }] })),
  )
  expect(header.inputs).toEqual([])
  expect(header.externalData).toEqual(
    weights.flatMap(({ name, external }) => (external ? [{ tensor: name, ...external }] : [])),
  )
})
