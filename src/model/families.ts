/** The model families that there are pipelines for, told by the class that model_index.json names. */
import { closest } from 'fastest-levenshtein'
import { PregenError } from '../errors.ts'
import { FAMILIES, type Family } from '../plan/model-facts.ts'

export interface FamilyClass {
  /** diffusers' text-to-image class. */
  readonly pipeline: string
  /** The scheduler class that its published models come with. */
  readonly scheduler: string
  readonly latentChannels: number
  /** diffusers' defaults of the pipeline call. */
  readonly steps: number
  readonly guidanceScale: number
  /** Width and height over the VAE's scale where the denoiser's config does not tell. */
  readonly sampleSize: number
}

export const FAMILY_CLASSES: Readonly<Record<Family, FamilyClass>> = {
  sd: {
    pipeline: 'StableDiffusionPipeline',
    scheduler: 'PNDMScheduler',
    latentChannels: 4,
    steps: 50,
    guidanceScale: 7.5,
    sampleSize: 64,
  },
  sdxl: {
    pipeline: 'StableDiffusionXLPipeline',
    scheduler: 'EulerDiscreteScheduler',
    latentChannels: 4,
    steps: 50,
    guidanceScale: 5,
    sampleSize: 128,
  },
  sd3: {
    pipeline: 'StableDiffusion3Pipeline',
    scheduler: 'FlowMatchEulerDiscreteScheduler',
    latentChannels: 16,
    steps: 28,
    guidanceScale: 7,
    sampleSize: 128,
  },
  lcm: {
    pipeline: 'LatentConsistencyModelPipeline',
    scheduler: 'LCMScheduler',
    latentChannels: 4,
    steps: 4,
    guidanceScale: 8.5,
    sampleSize: 64,
  },
  flux: {
    pipeline: 'FluxPipeline',
    scheduler: 'FlowMatchEulerDiscreteScheduler',
    latentChannels: 16,
    steps: 28,
    guidanceScale: 3.5,
    sampleSize: 128,
  },
}

/**
 * @param className `_class_name` of model_index.json; optimum's `ORT…` and diffusers' `…Img2Img…` names count too
 * @param requested what the sheet asked for instead: a family or a class name
 * @throws PregenError E_UNKNOWN_PIPELINE
 */
export function detectFamily(className: string, requested: string | undefined, indexPath: string): Family {
  const name = requested ?? className
  const family = familyOf(name)
  if (family !== undefined) return family
  const names = [...FAMILIES, ...FAMILIES.map((each) => FAMILY_CLASSES[each].pipeline)]
  throw new PregenError(
    'E_UNKNOWN_PIPELINE',
    name === ''
      ? 'model_index.json has no "_class_name", so the pipeline is unknown.'
      : `There is no pipeline "${name}".`,
    {
      help: `${name === '' ? '' : `Did you mean "${closest(name, names)}"? `}Valid: ${names.join(', ')}.`,
      location: requested === undefined ? { file: indexPath } : undefined,
    },
  )
}

function familyOf(name: string): Family | undefined {
  const plain = name.replace(/^(ORT|Onnx)/, '').replace(/Img2Img(?=Pipeline$)/, '')
  return FAMILIES.find((family) => family === name || FAMILY_CLASSES[family].pipeline === plain)
}
