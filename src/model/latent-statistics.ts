/**
 * Statistics by which some VAEs scale latents, which their graphs do not hold and their configs must: FLUX.2's of a batch
 * norm, Wan's of each channel.
 */
import { join } from 'node:path'
import { PregenError } from '../errors.ts'
import type { FamilyFacts } from '../families/family.ts'
import { type FamilyName, familyOf } from '../families/index.ts'
import type { JsonObject } from '../model-files/json-text.ts'

/** @param config the VAE's; an empty one is another fault. @returns nothing for families that scale otherwise */
export function missingStatistics(
  decoder: { readonly folder: string } | undefined,
  config: JsonObject,
  family: FamilyName,
): PregenError[] {
  const { statisticsPerChannel, latentChannels }: FamilyFacts = familyOf(family)
  if (statisticsPerChannel === undefined || decoder === undefined || Object.keys(config).length === 0) {
    return []
  }
  const declared = config.latent_channels ?? config.z_dim
  const count = statisticsPerChannel * (typeof declared === 'number' ? declared : latentChannels)
  const missing = ['latents_mean', 'latents_std'].filter((key) => {
    const list = config[key]
    return !Array.isArray(list) || list.length !== count
  })
  if (missing.length === 0) return []
  return [
    new PregenError('E_MODEL_CONFIG', `${missing.join(' and ')} must be ${count} numbers each.`, {
      help:
        statisticsPerChannel === 1
          ? 'Take the config.json of the VAE that was exported (in the original model: vae/config.json).'
          : 'They are the VAE’s batch norm: running_mean, and the root of running_var + batch_norm_eps. Write them into config.json of vae_decoder and vae_encoder (docs/models.md).',
      location: { file: join(decoder.folder, 'config.json') },
    }),
  ]
}
