/** One .onnx file and the data beside it, checked without loading it. */
import { closeSync, readdirSync, statSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { messageOf, PregenError } from '../errors.ts'
import { openInside, readUpTo } from '../model-files/open.ts'
import { briefList } from './brief.ts'
import { dataFileFaults, holesFault } from './data-files.ts'
import { impostorFault, impostorOf } from './impostor.ts'
import { variantOf } from './model-variant.ts'
import { type OnnxHeader, readOpenOnnxHeader } from './onnx-header.ts'
import { ProtobufError } from './protobuf-reader.ts'

/** The newest that onnxruntime-node 1.30 loads. */
const MAX_OPSET = 26
const MAX_IR_VERSION = 13

const REFETCH = 'Download or export it again; an interrupted download leaves such files.'

export interface ModelFileCheck {
  /** null when the file cannot be read as a model; `faults` then says why. */
  readonly header: OnnxHeader | null
  readonly faults: readonly PregenError[]
}

/** @param root the folder that the file and its data may not lead out of; default: the one that it lies in */
export function checkModelFile(path: string, root = dirname(path)): ModelFileCheck {
  try {
    return checkFile(path, root)
  } catch (thrown) {
    if (thrown instanceof PregenError) return { header: null, faults: [thrown] }
    throw thrown
  }
}

function checkFile(path: string, root: string): ModelFileCheck {
  const location = { file: path }
  const isFolder = statSync(path, { throwIfNoEntry: false })?.isDirectory() === true
  const file = isFolder ? null : openInside(path, root)
  if (file === null) {
    const others = otherFiles(path)
    const help =
      others === null
        ? 'Each component is a folder with a model.onnx, as optimum-cli export onnx writes it (docs/models.md).'
        : `There is ${others.list} beside it: ${others.variant === undefined ? '' : `pick it with variant: ${others.variant} under "models" in the sheet (--variant ${others.variant} of commands), or `}give it the name ${basename(path)} (data files keep theirs).`
    throw new PregenError('E_MODEL_FILE_MISSING', 'This file of the model is missing.', { help, location })
  }
  const { descriptor, stats } = file
  try {
    // Files under /proc say that they are empty, and some of them keep a reader waiting.
    const kind = impostorOf(stats.size === 0 ? new Uint8Array(0) : readUpTo(descriptor, 256, path))
    if (kind !== null) throw impostorFault(kind, path)
    const holes = holesFault(path, stats)
    try {
      const header = readOpenOnnxHeader(descriptor, stats)
      const faults = [...versionFaults(path, header), ...dataFileFaults(path, root, header.externalData)]
      return { header, faults: holes === null ? faults : [holes, ...faults] }
    } catch (thrown) {
      if (!(thrown instanceof ProtobufError)) throw thrown
      throw holes ?? notOnnx(thrown, path)
    }
  } finally {
    closeSync(descriptor)
  }
}

/** The .onnx files that lie where one is missing, for its message. */
function otherFiles(path: string): { readonly list: string; readonly variant: string | undefined } | null {
  const folder = dirname(path)
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true) return null
  const names = readdirSync(folder)
    .filter((name) => name.endsWith('.onnx'))
    .sort()
  if (names.length === 0) return null
  const [variant] = names.flatMap((name) => variantOf(name) ?? [])
  return { list: briefList(names), variant }
}

function notOnnx(error: ProtobufError, path: string): PregenError {
  const [code, what] =
    error.kind === 'truncated'
      ? (['E_MODEL_TRUNCATED', 'This model is cut off'] as const)
      : (['E_MODEL_NOT_ONNX', 'This is no ONNX model'] as const)
  return new PregenError(code, `${what}: ${messageOf(error)}.`, {
    help: REFETCH,
    location: { file: path },
    cause: error,
  })
}

function versionFaults(path: string, { opset, irVersion }: OnnxHeader): PregenError[] {
  const tooNew = (what: string, version: number, newest: number): PregenError =>
    new PregenError(
      'E_MODEL_OPSET',
      `This model has ${what} ${version}; the newest that loads here is ${newest}.`,
      {
        help: 'Export it again with an older opset (optimum-cli export onnx --opset 18), or update pregen.',
        location: { file: path },
      },
    )
  return [
    ...(opset > MAX_OPSET ? [tooNew('opset', opset, MAX_OPSET)] : []),
    ...(irVersion > MAX_IR_VERSION ? [tooNew('IR version', irVersion, MAX_IR_VERSION)] : []),
  ]
}
