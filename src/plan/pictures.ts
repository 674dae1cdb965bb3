/** Pictures that a unit is drawn from: the one that drawing starts from, its mask, and those that the model looks at. */

import type { SettingName } from '../cue-sheet/setting-types.ts'
import type { SheetVariant } from '../cue-sheet/sheet.ts'
import type { ErrorCode } from '../error-codes.ts'
import type { FamilyFacts } from '../families/family.ts'
import { FAMILIES, type FamilyName, familyOf } from '../families/index.ts'
import type { ModelFacts } from './model-facts.ts'
import type { Unit } from './unit.ts'

interface PictureContext {
  readonly variant: SheetVariant
  readonly facts: ModelFacts
  /** Its id in the sheet. */
  readonly model: string
  /** Told of a setting that cannot be met. */
  readonly report: (
    name: SettingName,
    fault: { readonly code: ErrorCode; readonly why: string; readonly help: string },
  ) => void
}

/** Whether a setting that is not for all means something to the family. */
export function familyTakes(family: FamilyName, setting: SettingName): boolean {
  return familyOf(family).takes.some((name) => name === setting)
}

export function readPictures(context: PictureContext): Pick<Unit, 'image' | 'images' | 'mask'> {
  const { variant, facts, model, report } = context
  const { settings } = variant
  const image = settings.image === undefined ? undefined : { source: settings.image, fit: settings.fit }
  const images = readReferences(context)
  const { imageToImage, title }: FamilyFacts = familyOf(facts.family)
  if (image !== undefined && imageToImage === false) {
    const why = `has no meaning: drawing does not start from a picture with ${title}`
    const other = familyTakes(facts.family, 'images') ? 'Use "images", at which the model looks, or' : 'Use'
    const help = `${other} a model of ${titles((each) => each.imageToImage !== false)}.`
    report('image', { code: 'E_SETTING_UNSUITED', why, help })
  } else if ((image ?? images ?? settings.video) !== undefined && !facts.hasVaeEncoder) {
    const name = image !== undefined ? 'image' : images !== undefined ? 'images' : 'video'
    const why = `has to be encoded, but the model "${model}" has no vae_encoder`
    const help = `Export the model with its VAE encoder, or take the ${name} away.`
    report(name, { code: 'E_NO_VAE_ENCODER', why, help })
  }
  // In defaults it may stand for units that start from no picture, and for models that take none.
  const mask = image !== undefined && familyTakes(facts.family, 'mask') ? settings.mask : undefined
  if (facts.needsMask === true && mask === undefined) {
    const why = `is missing: the model "${model}" was trained for inpainting and draws within a mask alone`
    const help = 'Set "image" and "mask", or use a model for text to image.'
    report('mask', { code: 'E_MASK_NEEDED', why, help })
  }
  return { image, images, mask }
}

/** One setting in defaults may serve models that take none. */
function readReferences({ variant, facts, report }: PictureContext): readonly string[] | undefined {
  const { settings, origins } = variant
  if (settings.images === undefined || familyTakes(facts.family, 'images')) return settings.images
  if (origins.images?.[0] !== 'defaults') {
    const why = `has no meaning: ${familyOf(facts.family).title} looks at no pictures while it draws`
    const help = `These do: ${titles(({ name }) => familyTakes(name, 'images'))}. "image" is the picture that drawing starts from.`
    report('images', { code: 'E_SETTING_UNSUITED', why, help })
  }
  return undefined
}

function titles(wanted: (family: FamilyFacts & { readonly name: FamilyName }) => boolean): string {
  return FAMILIES.filter(wanted)
    .map(({ title }) => title)
    .join('; ')
}
