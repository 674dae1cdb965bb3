/** Half precision, on models of other shapes than the float32 cases: beta sigmas, two double blocks, a narrower decoder. */
import { describe } from 'vitest'
import { drawsItsCases } from './command-line.ts'
import { unpackReference } from './reference.ts'

describe.each(['chroma-other-fp16', 'flux2-other-fp16'])('%s', (model) => {
  drawsItsCases(unpackReference(model))
})
