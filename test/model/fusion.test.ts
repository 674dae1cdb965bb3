/** Attention in three operators is told, with the command that makes it one. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { findUnfused } from '../../src/model/fusion.ts'
import { readOnnxHeader } from '../../src/model/onnx-header.ts'
import { inspectModel } from '../../src/tasks/inspect-model.ts'
import { TINY_SD3, TINY_SD15 } from '../support/runs.ts'
import { temporaryFolder } from '../support/temp.ts'
import { ELEMENT, onnxModel } from './onnx-builder.ts'

/** A denoiser of these operators. */
async function denoiserOf(operators: readonly string[], type: number = ELEMENT.float32) {
  const path = join(await temporaryFolder(), 'model.onnx')
  const nodes = operators.map((operator) => [operator, ['x'], ['y']] as const)
  await writeFile(path, onnxModel({ nodes, weights: [{ name: 'w', type }] }))
  return readOnnxHeader(path)
}

const COMMAND =
  'pip install onnxruntime==1.30.0 onnx sympy "numpy<2.4" && python -m onnxruntime.transformers.models.stable_diffusion.optimize_pipeline'

describe('a model whose attention is not fused', () => {
  it('is told with the command, by its denoiser alone', async () => {
    for (const [{ path }, denoiser] of [
      [TINY_SD15, 'unet'],
      [TINY_SD3, 'transformer'],
    ] as const) {
      const { unfused } = await inspectModel(path)
      expect(unfused).toEqual({
        problem: `the attention of ${denoiser} is not fused: about twice as slow on CUDA, the same on the CPU`,
        help: `For a GPU run: ${COMMAND} -i ${path} -o ${path}-fused --float16`,
      })
    }
  })

  it('has a softmax and no operator for the whole', async () => {
    const unfusedOf = async (operators: readonly string[], name = 'unet') =>
      findUnfused({ family: 'sd', path: 'm' }, [{ name, header: await denoiserOf(operators) }]) !== null
    expect(await unfusedOf(['MatMul', 'Softmax', 'MatMul'])).toBe(true)
    expect(await unfusedOf(['MatMul', 'MultiHeadAttention'])).toBe(false)
    // Cross-attention may keep its softmax where self-attention was fused.
    expect(await unfusedOf(['MultiHeadAttention', 'Softmax'])).toBe(false)
    expect(await unfusedOf(['Conv'])).toBe(false)
    expect(await unfusedOf(['Softmax'], 'text_encoder')).toBe(false)
  })

  it('is told what the tool cannot do, and a path as the shell reads it', async () => {
    const components = [{ name: 'transformer', header: await denoiserOf(['Softmax']) }]
    for (const family of ['chroma', 'flux'] as const) {
      expect(findUnfused({ family, path: 'm' }, components)?.help).toBe(
        "onnxruntime's tool does not fuse the attention of this family.",
      )
    }
    const half = [{ name: 'unet', header: await denoiserOf(['Softmax'], ELEMENT.float16) }]
    expect(findUnfused({ family: 'sdxl', path: "/my models/it's" }, half)?.help).toBe(
      `The tool reads fp32 exports: make one, then run: ${COMMAND} -i '/my models/it'\\''s' -o '/my models/it'\\''s-fused' --float16`,
    )
  })
})
