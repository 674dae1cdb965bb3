/** A model folder as a `Pipeline`: loads and frees sessions by stage and calls the family's functions. */
import type { ComponentName, ModelFolder, TokenizerName } from '../model/folder.ts'
import { hiddenLayers } from '../model/hidden-layers.ts'
import type { JsonObject } from '../model/json-file.ts'
import { createModelSession, createRunMeter, type ModelSession } from '../model/session.ts'
import type { Family } from '../plan/model-facts.ts'
import { createTokenizer } from '../text/create-tokenizer.ts'
import { encodePromptFlux, generateFlux } from './flux.ts'
import { encodePromptLcm, generateLcm } from './lcm.ts'
import type { ImageModels, TextEncoder, TextModels } from './models.ts'
import type {
  GeneratedImage,
  GenerateHooks,
  GenerateRequest,
  Pipeline,
  PipelineOptions,
  PromptConditioning,
  PromptRequest,
} from './pipeline.ts'
import { encodePromptSd3, generateSd3 } from './sd3.ts'
import { encodePromptSdxl, generateSdxl } from './sdxl.ts'
import { encodePromptStableDiffusion, generateStableDiffusion } from './stable-diffusion.ts'
import { createVaeDecoder } from './vae.ts'

/** A family's two stages, and whether guidance evaluates a negative prompt at all. */
interface FamilyStages {
  readonly encodePrompt: (text: TextModels, request: PromptRequest) => Promise<PromptConditioning>
  readonly generate: (
    models: ImageModels,
    requests: readonly GenerateRequest[],
    hooks: GenerateHooks,
  ) => Promise<GeneratedImage[]>
  readonly denoiser: 'unet' | 'transformer'
  readonly guidance: 'second-evaluation' | 'distilled'
}

const FAMILY_STAGES = {
  sd: {
    encodePrompt: encodePromptStableDiffusion,
    generate: generateStableDiffusion,
    denoiser: 'unet',
    guidance: 'second-evaluation',
  },
  sdxl: {
    encodePrompt: encodePromptSdxl,
    generate: generateSdxl,
    denoiser: 'unet',
    guidance: 'second-evaluation',
  },
  sd3: {
    encodePrompt: encodePromptSd3,
    generate: generateSd3,
    denoiser: 'transformer',
    guidance: 'second-evaluation',
  },
  lcm: { encodePrompt: encodePromptLcm, generate: generateLcm, denoiser: 'unet', guidance: 'distilled' },
  flux: {
    encodePrompt: encodePromptFlux,
    generate: generateFlux,
    denoiser: 'transformer',
    guidance: 'distilled',
  },
} satisfies Record<Family, FamilyStages>

const ENCODERS: readonly (readonly [ComponentName, TokenizerName])[] = [
  ['text_encoder', 'tokenizer'],
  ['text_encoder_2', 'tokenizer_2'],
  ['text_encoder_3', 'tokenizer_3'],
]

/**
 * @param folder as `readModelFolder` gives it, checked by `checkModelFolder`
 */
export function createPipeline(folder: ModelFolder, options: PipelineOptions): Pipeline {
  const stages: FamilyStages = FAMILY_STAGES[folder.family]
  const meter = options.meter ?? createRunMeter()
  const { provider, threads } = options
  let text: TextModels | null = null
  let images: ImageModels | null = null

  const load = (name: ComponentName): Promise<ModelSession> => {
    const component = folder.components[name]
    if (component === undefined) throw new Error(`${folder.path} has no ${name}`)
    const blockedChannels = !hasNarrowLayers(component.config)
    return createModelSession(component.modelPath, { provider, threads, meter, label: name, blockedChannels })
  }

  const loadEncoder = async (
    name: ComponentName,
    tokenizerName: TokenizerName,
  ): Promise<TextEncoder | null> => {
    const component = folder.components[name]
    const tokenizerFolder = folder.tokenizers[tokenizerName]
    if (component === undefined || tokenizerFolder === undefined) return null
    const tokenizer = await createTokenizer(tokenizerFolder)
    const session = await load(name)
    const layers = hiddenLayers(
      component.config,
      session.outputs.map((output) => output.name),
    )
    const half = session.outputs.every((output) => output.type === 'float16')
    // Without any, the check of the folder has found no encoder that is asked for a layer but its last.
    return { session, tokenizer, half, hiddenLayers: layers ?? 0 }
  }

  const freeTextEncoders = async (): Promise<void> => {
    const loaded = text
    text = null
    for (const encoder of [loaded?.first, loaded?.second, loaded?.third]) await encoder?.session.dispose()
  }

  const loadedImages = (): ImageModels => {
    if (images === null) throw new Error('loadDenoiser() has not been called')
    return images
  }

  return {
    family: folder.family,
    meter,
    usesNegativePrompt: (guidanceScale) => stages.guidance === 'second-evaluation' && guidanceScale > 1,

    async loadTextEncoders() {
      if (text !== null) return
      const [first, second, third] = [
        await loadEncoder(...ENCODERS[0]!),
        await loadEncoder(...ENCODERS[1]!),
        await loadEncoder(...ENCODERS[2]!),
      ]
      text = { folder, first, second, third }
    },
    async encodePrompt(request) {
      if (text === null) throw new Error('loadTextEncoders() has not been called')
      return stages.encodePrompt(text, request)
    },
    freeTextEncoders,

    async loadDenoiser({ withVaeEncoder = false } = {}) {
      const denoiser = images?.denoiser ?? (await load(stages.denoiser))
      const vaeDecoder = images?.vaeDecoder ?? (await load('vae_decoder'))
      const vaeEncoder = images?.vaeEncoder ?? (withVaeEncoder ? await load('vae_encoder') : null)
      images = { folder, vae: folder.vae, denoiser, vaeDecoder, vaeEncoder }
    },
    async generate(requests, hooks = {}) {
      requireOneBatch(requests)
      return stages.generate(loadedImages(), requests, hooks)
    },
    async decodeLatents(latents, dims) {
      const { vaeDecoder, vae } = loadedImages()
      const [batch, channels, height, width] = dims
      const size = channels * height * width
      const decoder = createVaeDecoder(vaeDecoder, vae, dims)
      const pictures = []
      for (let i = 0; i < batch; i++)
        pictures.push(await decoder.decode(latents.subarray(i * size, (i + 1) * size)))
      return pictures
    },

    async dispose() {
      await freeTextEncoders()
      const loaded = images
      images = null
      for (const session of [loaded?.denoiser, loaded?.vaeDecoder, loaded?.vaeEncoder])
        await session?.dispose()
    },
  }
}

/** Whether a UNet's or VAE's widest pictures have fewer channels than ONNX Runtime's blocks. */
function hasNarrowLayers({ block_out_channels: channels }: JsonObject): boolean {
  return Array.isArray(channels) && Number(channels[0]) < 16
}

/** What pictures of one batch share. @throws RangeError, for it is a mistake of the caller's */
function requireOneBatch(requests: readonly GenerateRequest[]): void {
  const shared = (request: GenerateRequest): string =>
    JSON.stringify([
      request.width,
      request.height,
      request.steps,
      request.guidanceScale,
      request.scheduler,
      request.denoiseStrength,
      request.initImage === undefined,
    ])
  const [first] = requests
  if (first === undefined) throw new RangeError('a batch needs at least one request')
  if (requests.some((request) => shared(request) !== shared(first))) {
    throw new RangeError('requests of one batch must share size, steps, guidance, scheduler and strength')
  }
}
