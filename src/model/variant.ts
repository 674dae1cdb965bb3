/** Files of one model in several precisions, side by side: which of them are meant. */
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { PregenError } from '../errors.ts'
import { briefList } from './brief.ts'

interface Component {
  readonly folder: string
  readonly modelPath: string
}

/** Those of optimum and transformers.js, and of diffusers. */
function namesOf(variant: string): readonly string[] {
  return [`model_${variant}.onnx`, `model.${variant}.onnx`]
}

/** `model_fp16.onnx` of fp16; null for names that follow neither way. */
export function variantOf(file: string): string | null {
  return /^model[._]([A-Za-z0-9][A-Za-z0-9_-]{0,31})\.onnx$/.exec(file)?.[1] ?? null
}

/** The path of the folder's model: the variant's where it is there, else that of `model.onnx`. */
export function modelFileIn(folder: string, variant: string | undefined): string {
  const names = variant === undefined ? [] : namesOf(variant)
  const own = names.map((name) => join(folder, name)).find((path) => existsSync(path))
  return own ?? join(folder, 'model.onnx')
}

/** The .onnx files that lie in a folder, in order; none where there is no folder. */
export function onnxFilesIn(folder: string): readonly string[] {
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true) return []
  return readdirSync(folder)
    .filter((name) => name.endsWith('.onnx'))
    .sort()
}

/** A variant that no component has is a slip of the pen: the plain files would be drawn with, without a word. */
export function missingVariant(
  root: string,
  components: Readonly<Partial<Record<string, Component>>>,
  variant: string | undefined,
): PregenError[] {
  const all = Object.values(components).flatMap((component) => component ?? [])
  if (
    variant === undefined ||
    all.some(({ folder, modelPath }) => modelPath !== join(folder, 'model.onnx'))
  ) {
    return []
  }
  const files = [...new Set(all.flatMap(({ folder }) => onnxFilesIn(folder)))]
  const variants = [...new Set(files.flatMap((file) => variantOf(file) ?? []))]
  const help =
    variants.length > 0
      ? `It has ${briefList(variants)}.`
      : 'Leave variant out: it has a model.onnx for each part.'
  const what = `No part of the model has a ${namesOf(variant).join(' or a ')}.`
  return [new PregenError('E_MODEL_NO_VARIANT', what, { help, location: { file: root } })]
}
