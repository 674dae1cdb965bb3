import { expect, test } from 'vitest'
import { streamingFaults } from '../../src/model/streaming.ts'

const values = (word: string, count: number) =>
  Array.from({ length: count }, (_, index) => ({ name: `${word}.${index}`, type: 'float32', dims: [] }))

test.each([
  [32, 32, 32, 0],
  [32, 24, 24, 1],
  [32, 32, 31, 1],
  [0, 0, 0, 1],
])('%i values given, %i taken, %i given again: %i fault', (given, taken, again, faults) => {
  const headers = new Map([
    ['vae_decoder', { inputs: [], outputs: values('present', given) }],
    ['vae_decoder_with_past', { inputs: values('past', taken), outputs: values('present', again) }],
  ] as const)
  const found = streamingFaults({ path: '/m', components: {} }, headers)
  expect(found.map(({ code }) => code)).toEqual(new Array(faults).fill('E_MODEL_SHAPES'))
})

test('a graph that takes a whole video needs no other half', () => {
  const headers = new Map([['vae_decoder', { inputs: [], outputs: [] }]] as const)
  expect(streamingFaults({ path: '/m', components: {} }, headers)).toEqual([])
})
