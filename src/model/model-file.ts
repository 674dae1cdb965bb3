/** One .onnx file and the data beside it, checked without loading it. */
import { lstatSync, statSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { dirname, isAbsolute, join, normalize } from 'node:path'
import { messageOf, PregenError } from '../errors.ts'
import { impostor, impostorFault } from './impostor.ts'
import { type ExternalData, type OnnxHeader, readOnnxHeader } from './onnx-header.ts'
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

export async function checkModelFile(path: string): Promise<ModelFileCheck> {
  const failed = (fault: PregenError): ModelFileCheck => ({ header: null, faults: [fault] })
  const location = { file: path }
  const stats = statSync(path, { throwIfNoEntry: false })
  if (stats === undefined || !stats.isFile()) {
    const help =
      'Each component is a folder with a model.onnx, as optimum-cli export onnx writes it (docs/models.md).'
    return failed(
      new PregenError('E_MODEL_FILE_MISSING', 'This file of the model is missing.', { help, location }),
    )
  }
  const kind = impostor(await head(path))
  if (kind !== null) return failed(impostorFault(kind, path))

  let header: OnnxHeader
  try {
    header = readOnnxHeader(path)
  } catch (thrown) {
    if (!(thrown instanceof ProtobufError)) throw thrown
    const [code, what] =
      thrown.kind === 'truncated'
        ? (['E_MODEL_TRUNCATED', 'This model is cut off'] as const)
        : (['E_MODEL_NOT_ONNX', 'This is no ONNX model'] as const)
    return failed(
      new PregenError(code, `${what}: ${messageOf(thrown)}.`, { help: REFETCH, location, cause: thrown }),
    )
  }
  return {
    header,
    faults: [...versionFaults(path, header), ...externalDataFaults(path, header.externalData)],
  }
}

async function head(path: string): Promise<Uint8Array> {
  const file = await open(path, 'r')
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(256), 0, 256, 0)
    return buffer.subarray(0, bytesRead)
  } finally {
    await file.close()
  }
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

/** One fault per data file: paths that leave the folder, links, files that are missing, stand-ins, or too short. */
function externalDataFaults(path: string, tensors: readonly ExternalData[]): PregenError[] {
  const byLocation = new Map<string, ExternalData[]>()
  for (const tensor of tensors) {
    const parts = byLocation.get(tensor.location)
    if (parts === undefined) byLocation.set(tensor.location, [tensor])
    else parts.push(tensor)
  }
  return [...byLocation].flatMap(([location, parts]) => externalFileFault(path, location, parts) ?? [])
}

function externalFileFault(
  path: string,
  location: string,
  parts: readonly ExternalData[],
): PregenError | null {
  const outside = location === '' || isAbsolute(location) || /^[a-z]:/i.test(location)
  if (outside || normalize(location).split(/[\\/]/).includes('..')) {
    return new PregenError('E_MODEL_DATA_PATH', `The model wants its weights from "${location}".`, {
      help: 'Weights must lie in the model’s own folder. Do not use this file: export the model yourself, or trust another source.',
      location: { file: path },
    })
  }
  const file = join(dirname(path), location)
  const fault = (code: string, what: string, help = REFETCH) =>
    new PregenError(code, what, { help, location: { file } })
  if (lstatSync(file, { throwIfNoEntry: false })?.isSymbolicLink() === true) {
    const help = 'Copy the file it points to in its place (hf download --local-dir writes real files).'
    return fault(
      'E_MODEL_DATA_LINK',
      'The model’s weights are a symbolic link, which may lead anywhere.',
      help,
    )
  }
  const stats = statSync(file, { throwIfNoEntry: false })
  if (stats === undefined || !stats.isFile()) {
    return fault(
      'E_MODEL_DATA_MISSING',
      'The weights that belong to model.onnx are missing.',
      'Put the file beside model.onnx.',
    )
  }
  const wrong = parts.find(({ offset, length }) => !fits(offset, length, stats.size))
  if (wrong === undefined) return null
  const end = wrong.offset + (wrong.length ?? 0)
  return fault(
    'E_MODEL_DATA_RANGE',
    `Tensor "${wrong.tensor}" lies at bytes ${wrong.offset} … ${end} and the file has ${stats.size}.`,
    'The file is cut off, or belongs to another model (a Git LFS pointer is 130 bytes long): fetch both again.',
  )
}

function fits(offset: number, length: number | null, size: number): boolean {
  const end = offset + (length ?? 0)
  return Number.isSafeInteger(end) && offset >= 0 && end >= offset && end <= size
}
