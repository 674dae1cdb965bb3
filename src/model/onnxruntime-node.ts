/** The ONNX Runtime that this installation runs on. It is not loaded by looking. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

export interface OnnxruntimeNode {
  readonly version: string
  /** The folder of its shared libraries. */
  readonly runtimeFolder: string
}

export function findOnnxruntimeNode(): OnnxruntimeNode {
  const root = dirname(dirname(createRequire(import.meta.url).resolve('onnxruntime-node')))
  const file = join(root, 'package.json')
  // No schema: it would be all that makes the worker processes load the library of schemas.
  const { version } = JSON.parse(readFileSync(file, 'utf8')) as { readonly version?: unknown }
  if (typeof version !== 'string') throw new TypeError(`${file} names no version`)
  return { version, runtimeFolder: join(root, 'bin/napi-v6', process.platform, process.arch) }
}
