/** What planning must know of a folder, with a fingerprint over every file that decides pixels. */
import { createHash } from 'node:crypto'
import { existsSync, statSync } from 'node:fs'
import { dirname, join, relative, sep } from 'node:path'
import type { PregenError } from '../errors.ts'
import type { FamilyFacts } from '../families/family.ts'
import { type ComponentName, familyOf } from '../families/index.ts'
import type { ModelFacts, PreviewDecoderFault } from '../plan/model-facts.ts'
import type { AbsentWeights } from './data-files.ts'
import { createFileHasher, type HashOptions } from './file-hash.ts'
import { fixedShapes } from './fixed-shapes.ts'
import { folderSchedulerConfig, type ModelFolder, previewDecoderRoot, TOKENIZER_FILES } from './folder.ts'
import { memoryFacts } from './memory-facts.ts'
import { type OnnxHeader, readOnnxHeader } from './onnx-header.ts'
import { previewDecoderFault } from './preview-decoder.ts'
import { videoFacts } from './video-facts.ts'
import { viewOf } from './view.ts'
import { VISION_CONFIG } from './vision-config.ts'

export interface FactsOptions extends HashOptions {
  /** What `checkModelFolder` told of: counts by its size, so that the fingerprint is not that of the whole folder. */
  readonly absent?: readonly AbsentWeights[] | undefined
}

/** @param folder checked by `checkModelFolder`, so that its files are what they seem */
export async function modelFacts(folder: ModelFolder, options: FactsOptions = {}): Promise<ModelFacts> {
  const { family, vae, components } = folder
  const { defaults, maxSequenceLength, video }: FamilyFacts = familyOf(family)
  const { steps, guidanceScale, trueCfgScale } = defaults
  const view = viewOf(folder)
  const [sampleHeight, sampleWidth] = sampleSize(folder)
  const headers = headersOf(folder)
  const fixed = fixedShapes(folder, headers, sizeMultiple(folder))
  const packedSide = video === undefined ? Math.sqrt(fixed.imageTokens ?? 0) * sizeMultiple(folder) : 0
  const side = packedSide > 0 && Number.isInteger(packedSide) ? packedSide : null
  const decoderFault = previewDecoderFault(folder)
  const usable = decoderFault === null ? folder : { ...folder, previewDecoder: null }
  return {
    family,
    ...(await fingerprints(usable, options)),
    defaults: {
      steps,
      guidanceScale,
      width: fixed.width ?? side ?? sampleWidth * vae.scale,
      height: fixed.height ?? side ?? sampleHeight * vae.scale,
      ...(trueCfgScale === undefined ? {} : { trueCfgScale }),
    },
    sizeMultiple: sizeMultiple(folder),
    latentChannels: vae.latentChannels,
    schedulerClass: folder.schedulerClass,
    schedulerConfig: folderSchedulerConfig(folder),
    hasVaeEncoder: components.vae_encoder !== undefined,
    needsMask: needsMask(folder),
    hasPreviewDecoder: usable.previewDecoder !== null,
    previewDecoderFault: decoderFault === null ? null : plainFault(decoderFault),
    hasLatentRgb: hasLatentRgb(folder),
    maxSequenceLength: maxSequenceLength(view),
    // A video's memory is reckoned from its own facts.
    ...(video === undefined
      ? { memory: memoryFacts(folder) }
      : { video: videoFacts(folder, video, fixed.numFrames) }),
    fixed,
    guidance: guidanceOf(folder, headers),
  }
}

function headersOf({ components }: ModelFolder): ReadonlyMap<ComponentName, OnnxHeader> {
  const present = Object.values(components).filter(({ modelPath }) => existsSync(modelPath))
  return new Map(present.map(({ name, modelPath }) => [name, readOnnxHeader(modelPath)]))
}

/** A model that guidance was distilled into takes it as an input, or has it built in. */
function guidanceOf(
  folder: ModelFolder,
  headers: ReadonlyMap<ComponentName, OnnxHeader>,
): NonNullable<ModelFacts['guidance']> {
  const { guidance, isDistilled }: FamilyFacts = familyOf(folder.family)
  const inputs = headers.get(familyOf(folder.family).denoiser)?.inputs ?? []
  if (inputs.some(({ name }) => name === 'guidance' || name === 'timestep_cond')) return 'input'
  if (guidance === 'distilled' || guidance === 'true-cfg' || isDistilled?.(viewOf(folder))) return 'none'
  return 'second-evaluation'
}

function plainFault({ code, message, help = '', location }: PregenError): PreviewDecoderFault {
  return { code, message, help, file: location?.file ?? '' }
}

/** Width and height in pixels must be multiples of this. */
export function sizeMultiple(folder: ModelFolder): number {
  return familyOf(folder.family).sizeMultiple(viewOf(folder))
}

/** Whether its denoiser takes, beside the latents, a mask and the latents of what the mask leaves. */
export function needsMask(folder: ModelFolder): boolean {
  const { inpainting, denoiser }: FamilyFacts = familyOf(folder.family)
  const view = viewOf(folder)
  const taken = view.input(denoiser, 'sample', 1) ?? view.config(denoiser, 'in_channels')
  return inpainting !== undefined && taken === 2 * folder.vae.latentChannels + 1
}

/** [height, width] of the latents that the denoiser was trained for. FLUX's config has none. */
function sampleSize(folder: ModelFolder): readonly [number, number] {
  const { family, components } = folder
  const size = components[familyOf(family).denoiser]?.config.sample_size
  if (typeof size === 'number') return [size, size]
  if (Array.isArray(size) && typeof size[0] === 'number' && typeof size[1] === 'number')
    return [size[0], size[1]]
  const { defaults }: FamilyFacts = familyOf(family)
  const { sampleSize: otherwise } = defaults
  return typeof otherwise === 'number' ? [otherwise, otherwise] : otherwise(viewOf(folder))
}

/** `preview.json` in the folder, or the family's published factors, which are for so many channels. */
function hasLatentRgb({ path, family, vae }: ModelFolder): boolean {
  const { previewFactors }: FamilyFacts = familyOf(family)
  const { latentChannels, scalingFactor } = vae
  const published = previewFactors(scalingFactor, latentChannels)
  return existsSync(join(path, 'preview.json')) || published?.factors.length === latentChannels
}

/** sha-256 over the names, sizes and contents of the deciding files, whatever folder they lie in. */
async function fingerprints(
  folder: ModelFolder,
  options: FactsOptions,
): Promise<Pick<ModelFacts, 'fingerprint' | 'graphsFingerprint'>> {
  const hasher = await createFileHasher(options)
  const all = createHash('sha256').update(`${folder.family}\n`)
  const graphs = createHash('sha256')
  const absent = new Set(options.absent?.map(({ file }) => file))
  for (const { name, path, root } of decidingFiles(folder)) {
    const sha256 = absent.has(path) ? 'absent' : await hasher.hash(path, root)
    const line = `${name}\n${statSync(path).size}\n${sha256}\n`
    all.update(line)
    if (!name.startsWith('preview')) graphs.update(line)
  }
  await hasher.save()
  return { fingerprint: all.digest('hex'), graphsFingerprint: graphs.digest('hex') }
}

function decidingFiles(folder: ModelFolder): { name: string; path: string; root: string }[] {
  const { path: root, components, tokenizers, previewDecoder } = folder
  const paths = [
    join(root, 'model_index.json'),
    join(root, 'preview.json'),
    join(root, 'scheduler', 'scheduler_config.json'),
    ...(components.image_encoder === undefined ? [] : [join(root, VISION_CONFIG)]),
    ...Object.values(tokenizers).flatMap((each) => TOKENIZER_FILES.map((file) => join(each, file))),
  ]
  for (const component of Object.values(components)) {
    paths.push(join(component.folder, 'config.json'), ...modelFiles(component.modelPath))
  }
  const files = paths
    .filter((path) => existsSync(path))
    .map((path) => ({ name: relative(root, path).split(sep).join('/'), path, root }))
  if (previewDecoder !== null) {
    const config = join(dirname(previewDecoder), 'config.json')
    const own = [...modelFiles(previewDecoder), ...(existsSync(config) ? [config] : [])]
    const base = dirname(previewDecoder)
    files.push(
      ...own.map((path) => ({
        name: `preview-decoder:${relative(base, path).split(sep).join('/')}`,
        path,
        root: previewDecoderRoot(folder, previewDecoder),
      })),
    )
  }
  return files.sort((left, right) => (left.name < right.name ? -1 : 1))
}

/** An .onnx file and the data files that it names. */
function modelFiles(path: string): string[] {
  if (!existsSync(path)) return []
  const { externalData } = readOnnxHeader(path)
  const locations = [...new Set(externalData.map(({ location }) => location))]
  return [
    path,
    ...locations.map((location) => join(dirname(path), location)).filter((file) => existsSync(file)),
  ]
}
