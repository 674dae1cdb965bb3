/** A model folder as a `Pipeline`: loads and frees sessions by stage and calls the family's functions. */
import type { ComponentContract } from '../families/contract.ts'
import type { FamilyFacts } from '../families/family.ts'
import { usesNegativePrompt } from '../families/guidance.ts'
import { type ComponentName, familyOf, type TokenizerName } from '../families/index.ts'
import type { ModelFolder } from '../model/folder.ts'
import { hiddenLayers } from '../model/hidden-layers.ts'
import { findOptimized, hasNarrowLayers } from '../model/optimized.ts'
import { createModelSession, createRunMeter, type ModelSession } from '../model/session.ts'
import { sizeOf } from '../tensor/tensor.ts'
import { createTokenizer } from '../text/create-tokenizer.ts'
import { createClipDecoder } from './clip-decoder.ts'
import type { FamilyStages, ImageModels, TextEncoder, TextModels } from './models.ts'
import { type Pipeline, type PipelineOptions, requireOneBatch } from './pipeline.ts'
import { createVaeDecoder } from './vae.ts'

/** More tokens than any text has. */
const BEYOND_TOKENS = 2 ** 16

/**
 * @param folder as `readModelFolder` gives it, checked by `checkModelFolder`
 */
export function createPipeline(folder: ModelFolder, options: PipelineOptions): Pipeline {
  const family = familyOf(folder.family)
  const { masksTexts = false, video }: FamilyFacts = family
  const meter = options.meter ?? createRunMeter()
  const { provider, threads, optimizedRoot } = options
  let text: TextModels | null = null
  let images: ImageModels | null = null
  let denoiser: ModelSession | null = null

  /** Sessions that are loaded; one that fails to load must not hide the earlier ones from `dispose`. */
  const open = new Set<ModelSession>()
  const load = async (name: ComponentName): Promise<ModelSession> => {
    const component = folder.components[name]
    if (component === undefined) throw new Error(`${folder.path} has no ${name}`)
    const blockedChannels = !hasNarrowLayers(component.config)
    const optimized = findOptimized(optimizedRoot, provider, name)
    const own = { provider, threads, meter, label: name, blockedChannels, isOptimized: optimized !== null }
    const session = await createModelSession(optimized ?? component.modelPath, own)
    open.add(session)
    return session
  }
  const free = async (sessions: Iterable<ModelSession | null | undefined>): Promise<void> => {
    for (const session of sessions) {
      if (!session || !open.delete(session)) continue
      await session.dispose()
    }
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

  const loadEncoders = async (): Promise<TextModels['encoders']> => {
    const encoders: Partial<Record<ComponentName, TextEncoder>> = {}
    for (const contract of family.contract) {
      if (!('tokenizer' in contract)) continue
      const encoder = await loadEncoder(contract.component, contract.tokenizer)
      if (encoder !== null) encoders[contract.component] = encoder
    }
    return encoders
  }

  const freeTextEncoders = async (): Promise<void> => {
    const loaded = Object.values(text?.encoders ?? {})
    text = null
    await free(loaded.map((encoder) => encoder.session))
  }

  const loadedDenoiser = (): ModelSession => {
    if (denoiser === null) throw new Error('loadDenoiser() has not been called')
    return denoiser
  }
  const takeDenoiser = async (name: ComponentName): Promise<ModelSession> => {
    if (denoiser?.label === name) return denoiser
    const leaving = denoiser
    denoiser = null
    await free([leaving])
    denoiser = await load(name)
    return denoiser
  }

  const loadedImages = (): ImageModels => {
    if (images === null) throw new Error('loadDenoiser() has not been called')
    return images
  }

  return {
    family: folder.family,
    meter,
    usesNegativePrompt: (settings) => usesNegativePrompt(family, settings),
    sharedTokens({ promptEmbeds, negativePromptEmbeds }) {
      const [length, negative] = [promptEmbeds, negativePromptEmbeds].map((side) => side?.dims[1] ?? 0)
      if (!masksTexts) return length!
      // What pads a shorter text is masked, but sums over more places round differently: on the CPU bytes count.
      return provider.name === 'cpu' ? length! + BEYOND_TOKENS * negative! : 0
    },

    async loadTextEncoders() {
      if (text !== null) return
      // The family's code is read while other threads make the sessions.
      const [encoders] = await Promise.all([loadEncoders(), family.pipeline()])
      text = { folder, encoders }
    },
    async encodePrompt(request) {
      if (text === null) throw new Error('loadTextEncoders() has not been called')
      const stages: FamilyStages = await family.pipeline()
      return stages.encodePrompt(text, request)
    },
    freeTextEncoders,

    async loadDenoiser({ withVaeEncoder = false } = {}) {
      // Where the prompts come from another device, this is the first that needs the family's code.
      const [first] = await Promise.all([denoiser ?? load(family.denoiser), family.pipeline()])
      denoiser = first
      const vaeDecoder = images?.vaeDecoder ?? (await load('vae_decoder'))
      const vaeEncoder = images?.vaeEncoder ?? (withVaeEncoder ? await load('vae_encoder') : null)
      const parts: Partial<Record<ComponentName, ModelSession>> = { ...images?.parts }
      for (const name of furtherParts(folder, family.denoiser, withVaeEncoder))
        parts[name] ??= await load(name)
      images = {
        ...{ folder, vae: folder.vae, vaeDecoder, vaeEncoder, parts, takeDenoiser },
        get denoiser() {
          return loadedDenoiser()
        },
      }
    },
    async generate(requests, hooks = {}) {
      requireOneBatch(requests, masksTexts)
      const models = loadedImages()
      const stages: FamilyStages = await family.pipeline()
      return stages.generate(models, requests, hooks)
    },
    async decodeLatents(latents, dims) {
      const { vaeDecoder, vae } = loadedImages()
      const [batch, ...shape] = dims
      const size = sizeOf(shape)
      const decoder =
        video === undefined
          ? createVaeDecoder(vaeDecoder, vae, dims)
          : createClipDecoder(loadedImages(), dims)
      const pictures = []
      for (let i = 0; i < batch; i++)
        pictures.push(await decoder.decode(latents.subarray(i * size, (i + 1) * size)))
      return pictures
    },

    async dispose() {
      text = null
      images = null
      denoiser = null
      await free([...open])
    },
  }
}

/** Components that are loaded beside denoiser and VAE. */
function furtherParts(
  { family, components }: ModelFolder,
  denoiser: ComponentName,
  withImages: boolean,
): ComponentName[] {
  const contract: readonly (ComponentContract & { readonly component: ComponentName })[] =
    familyOf(family).contract
  const usual: readonly string[] = [denoiser, 'vae_decoder', 'vae_encoder']
  return contract
    .filter(({ component, tokenizer, onDemand = false, forImages = false }) => {
      const isLoaded = tokenizer === undefined && !onDemand && (!forImages || withImages)
      return isLoaded && !usual.includes(component) && components[component] !== undefined
    })
    .map(({ component }) => component)
}
