/** A model's tiny preview decoder as a loaded session, wherever it runs: beside inference or in a thread of its own. */
import { dirname } from 'node:path'
import type { ResolvedProvider } from '../model/providers.ts'
import { createModelSession, createRunMeter, type RunMeter } from '../model/session.ts'
import type { ModelInput } from '../model/session-values.ts'
import {
  createPreviewDecoder,
  type DecodeLatents,
  framewise,
  readPreviewDecoderConfig,
} from '../preview/decoder.ts'
import { createStreamingDecode, memoriesOf } from './stream-preview.ts'

export interface PreviewSession {
  readonly decode: DecodeLatents
  readonly dispose: () => Promise<void>
}

export interface PreviewSessionOptions {
  /** The decoder's .onnx file; its config.json lies beside it. */
  readonly path: string
  /** Latent channels of the model that it previews. */
  readonly channels: number
  readonly provider: ResolvedProvider
  readonly threads?: number | undefined
  readonly meter?: RunMeter | undefined
}

/** @throws PregenError E_MODEL_LOAD_FAILED, E_PREVIEW_CHANNELS, E_PREVIEW_DECODER */
export async function openPreviewSession(options: PreviewSessionOptions): Promise<PreviewSession> {
  const { path, channels, provider, threads, meter = createRunMeter() } = options
  const config = await readPreviewDecoderConfig(dirname(path))
  const session = await createModelSession(path, { provider, threads, meter, label: 'preview_decoder' })
  if (memoriesOf(session.inputs.map(({ name }) => name)) > 0) {
    const decode = createPreviewDecoder(createStreamingDecode(session), channels, config)
    return { decode, dispose: () => session.dispose() }
  }
  const [inputName, outputName] = [session.inputs[0]?.name ?? '', session.outputs[0]?.name ?? '']
  let input: ModelInput | null = null
  const decode = createPreviewDecoder(
    framewise(async (latents) => {
      // Previews of one run mostly have one size: its buffer is kept.
      if (input === null || input.dims.join() !== latents.dims.join()) {
        input = session.createInput(inputName, latents.dims)
      }
      input.write(latents.data)
      const { [outputName]: picture } = await session.run([input], [outputName], {
        [outputName]: [1, 3, null, null],
      })
      if (!picture) throw new Error(`the preview decoder gave no ${outputName}`)
      return picture
    }),
    channels,
    config,
  )
  return { decode, dispose: () => session.dispose() }
}
