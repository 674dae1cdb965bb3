/** The linear preview map of a model, and the proof before it loads that there is one that fits. */
import { PregenError } from '../errors.ts'
import type { LatentRgbFactors } from '../families/family.ts'
import { familyOf } from '../families/index.ts'
import type { Unit } from '../plan/unit.ts'
import { chooseFactors, readPreviewJson } from '../preview/preview-json.ts'
import type { PreparedModel } from './prepared.ts'

type Model = Pick<PreparedModel, 'folder' | 'facts'>

/** @throws PregenError `E_PREVIEW_JSON`, `E_PREVIEW_CHANNELS`, `E_PREVIEW_FACTORS` */
export async function factorsOf({ folder, facts }: Model): Promise<LatentRgbFactors> {
  return chooseFactors({
    family: facts.family,
    latentChannels: facts.latentChannels,
    folderFactors: await readPreviewJson(folder.path),
    published: familyOf(facts.family).previewFactors(folder.vae.scalingFactor, facts.latentChannels),
  })
}

/** Faults of the factors of every model that draws latent2rgb previews. */
export async function findFactorFaults(
  units: readonly Unit[],
  models: ReadonlyMap<string, Model>,
): Promise<PregenError[]> {
  const used = new Set(units.flatMap((unit) => (unit.previews?.method === 'latent2rgb' ? [unit.model] : [])))
  const faults: PregenError[] = []
  for (const id of used) {
    const model = models.get(id)
    try {
      if (model) await factorsOf(model)
    } catch (error) {
      if (!(error instanceof PregenError)) throw error
      faults.push(error)
    }
  }
  return faults
}
