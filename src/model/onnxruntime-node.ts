/** The ONNX Runtime that this installation runs on. It is not loaded by looking. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { z } from '../zod.ts'

const packageSchema = z.looseObject({ version: z.string() })

export interface OnnxruntimeNode {
  readonly version: string
  /** The folder of its shared libraries. */
  readonly runtimeFolder: string
}

export function findOnnxruntimeNode(): OnnxruntimeNode {
  const root = dirname(dirname(createRequire(import.meta.url).resolve('onnxruntime-node')))
  const { version } = packageSchema.parse(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')))
  return { version, runtimeFolder: join(root, 'bin/napi-v6', process.platform, process.arch) }
}
