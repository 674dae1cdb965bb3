/** The files of weights that an .onnx file names: inside its folder, regular, long enough, and really there. */

import { closeSync, lstatSync, type Stats } from 'node:fs'
import { dirname, isAbsolute, join, normalize, relative } from 'node:path'
import type { ErrorCode } from '../error-codes.ts'
import { PregenError } from '../errors.ts'
import { openInside, placeInside } from '../model-files/open.ts'
import { brief, firstOf } from './brief.ts'
import type { ExternalData } from './onnx-header.ts'

const REFETCH = 'Download or export it again; an interrupted download leaves such files.'

/** Weights that are not on this disk, though the model says how many: nothing runs, and memory can be reckoned all the same. */
export class AbsentWeights extends PregenError {
  readonly file: string
  /** That they will have, as far as the model tells. */
  readonly sizeBytes: number

  constructor(code: ErrorCode, what: string, { file, sizeBytes, help }: AbsentDetails) {
    super(code, what, { help, location: { file } })
    this.file = file
    this.sizeBytes = sizeBytes
  }
}

/** `weights are not on this disk: unet/model.onnx_data (5.1 GB), …`. @param root the model's folder */
export function absentWords(absent: readonly AbsentWeights[], root: string): string {
  const files = absent.map(
    ({ file, sizeBytes }) => `${relative(root, file)} (${(sizeBytes / 1e9).toFixed(1)} GB)`,
  )
  return `weights are not on this disk: ${files.join(', ')}`
}

interface AbsentDetails {
  readonly file: string
  readonly sizeBytes: number
  readonly help: string
}

/**
 * One fault a data file.
 * @param path the .onnx file
 * @param root the model's folder
 */
export function dataFileFaults(path: string, root: string, tensors: readonly ExternalData[]): PregenError[] {
  const byLocation = new Map<string, ExternalData[]>()
  for (const tensor of tensors) {
    const parts = byLocation.get(tensor.location)
    if (parts === undefined) byLocation.set(tensor.location, [tensor])
    else parts.push(tensor)
  }
  return firstOf(
    [...byLocation].flatMap(([location, parts]) => dataFileFault(path, root, location, parts) ?? []),
    path,
  )
}

function dataFileFault(
  path: string,
  root: string,
  location: string,
  parts: readonly ExternalData[],
): PregenError | null {
  const outside = location === '' || isAbsolute(location) || /^[a-z]:/i.test(location)
  if (outside || location.includes('\0') || normalize(location).split(/[\\/]/).includes('..')) {
    const what = `The model wants its weights from "${brief(location)}".`
    const help =
      'Weights must lie in the model’s own folder. Do not use this file: export the model yourself, or trust another source.'
    return new PregenError('E_MODEL_DATA_PATH', what, { help, location: { file: path } })
  }
  const file = join(dirname(path), location)
  const fault = (code: ErrorCode, what: string, help = REFETCH) =>
    new PregenError(code, what, { help, location: { file } })
  try {
    if (leadsAway(path, file, root)) {
      const help = 'Copy the file it points to in its place (hf download --local-dir writes real files).'
      const what = 'The model’s weights are a symbolic link, which may lead anywhere.'
      return fault('E_MODEL_DATA_LINK', what, help)
    }
    const opened = openInside(file, root)
    if (opened === null) {
      const what = 'The weights that belong to model.onnx are missing.'
      const ends = parts.map(({ offset, length }) => offset + (length ?? 0))
      const sizeBytes = ends.reduce((most, end) => Math.max(most, end), 0)
      return new AbsentWeights('E_MODEL_DATA_MISSING', what, {
        file,
        sizeBytes,
        help: 'Put the file beside model.onnx.',
      })
    }
    closeSync(opened.descriptor)
    const { stats } = opened
    const wrong = parts.find(({ offset, length }) => !fits(offset, length, stats.size))
    if (wrong === undefined) return holesFault(file, stats)
    const end = wrong.offset + (wrong.length ?? 0)
    return fault(
      'E_MODEL_DATA_RANGE',
      `Tensor "${brief(wrong.tensor)}" lies at bytes ${wrong.offset} … ${end} and the file has ${stats.size}.`,
      'The file is cut off, or belongs to another model (a Git LFS pointer is 130 bytes long): fetch both again.',
    )
  } catch (thrown) {
    if (thrown instanceof PregenError) return thrown
    throw thrown
  }
}

/**
 * ONNX Runtime's own rule: weights lie, links followed, in the folder that the model lies in, links followed. In Hugging
 * Face's cache both are links to one folder of blobs; any other link is refused.
 */
function leadsAway(path: string, file: string, root: string): boolean {
  if (lstatSync(file, { throwIfNoEntry: false })?.isSymbolicLink() !== true) return false
  const isLinkToo = lstatSync(path).isSymbolicLink()
  try {
    const [model, data] = [placeInside(path, root), placeInside(file, root)]
    return !isLinkToo || model === null || data === null || dirname(model) !== dirname(data)
  } catch (thrown) {
    if (thrown instanceof PregenError) return true
    throw thrown
  }
}

function fits(offset: number, length: number | null, size: number): boolean {
  const end = offset + (length ?? 0)
  return Number.isSafeInteger(end) && offset >= 0 && end >= offset && end <= size
}

/** From here on a file of holes is worth a word: it would be hashed for minutes and mapped as zeros. */
const LARGE_BYTES = 64 * 2 ** 20
/** Weights do not compress; a file system that stores a sixteenth of a file has holes in it. */
const LEAST_SHARE = 16

/** A file that claims far more than the disk holds of it, or null. */
export function holesFault(file: string, stats: Stats): AbsentWeights | null {
  const stored = stats.blocks * 512
  if (!Number.isFinite(stored) || stats.size < LARGE_BYTES || stored * LEAST_SHARE >= stats.size) return null
  return new AbsentWeights(
    'E_MODEL_TRUNCATED',
    `This file claims ${stats.size} bytes, and ${stored} of them are there.`,
    { help: REFETCH, file, sizeBytes: stats.size },
  )
}
