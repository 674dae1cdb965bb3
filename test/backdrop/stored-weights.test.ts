import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { InferenceSession } from 'onnxruntime-node'
import { expect, it } from 'vitest'
import { readOnnxHeader } from '../../src/model/onnx-header.ts'
import { packageRoot } from '../support/cli.ts'
import { temporaryFolder } from '../support/temp.ts'

const folder = join(packageRoot, 'models/backdrop')
const denoiser = join(folder, 'transformer/model.onnx')

it('is small: the matrices of the denoiser are stored as eight-bit integers', () => {
  const { weightTypes, sizeBytes } = readOnnxHeader(denoiser)
  expect(weightTypes).toContain('int8')
  expect(sizeBytes).toBeLessThan(9_000_000)
  const parts = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.parentPath.includes('training'))
    .map((entry) => statSync(join(entry.parentPath, entry.name)).size)
  expect(parts.reduce((sum, size) => sum + size, 0)).toBeLessThan(14_000_000)
})

it('costs no step anything: at load they become float32 weights', async () => {
  const optimizedModelFilePath = join(await temporaryFolder(), 'optimized.onnx')
  const session = await InferenceSession.create(denoiser, {
    graphOptimizationLevel: 'basic',
    optimizedModelFilePath,
    logSeverityLevel: 4,
  })
  await session.release()
  expect([...readOnnxHeader(optimizedModelFilePath).weightTypes].sort()).toEqual(['float32', 'int64'])
})
