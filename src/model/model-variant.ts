/** Several exports of a component in one folder: `model.onnx` beside `model_fp16.onnx` or `model.fp16.onnx`. */
import { existsSync, readdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { PregenError } from '../errors.ts'
import { briefList } from './brief.ts'

const PLAIN = 'model.onnx'

/** Absolute; the plain file's where the component has no such variant, or none was asked for. */
export function modelFileIn(folder: string, variant: string | undefined): string {
  const names = variant === undefined ? [] : [`model_${variant}.onnx`, `model.${variant}.onnx`]
  const found = names.map((name) => join(folder, name)).find((path) => existsSync(path))
  return found ?? join(folder, PLAIN)
}

/** The variant that a file's name tells; undefined for any other name. */
export function variantOf(name: string): string | undefined {
  return /^model[._]([A-Za-z0-9][A-Za-z0-9_-]{0,39})\.onnx$/.exec(name)?.[1]
}

/** A variant that no component has would quietly be another model. */
export function variantFaults(
  root: string,
  components: Readonly<Record<string, { readonly folder: string; readonly modelPath: string }>>,
  variant: string | undefined,
): PregenError[] {
  const all = Object.values(components)
  if (variant === undefined || all.some(({ modelPath }) => basename(modelPath) !== PLAIN)) return []
  const files = all.flatMap(({ folder }) => readdirSync(folder).filter((name) => name.endsWith('.onnx')))
  return [
    new PregenError('E_MODEL_FILE_MISSING', `No component of this model has a variant "${variant}".`, {
      help: `Its models are named ${briefList([...new Set(files)].sort())}.`,
      location: { file: root },
    }),
  ]
}
