/** Which model a variant runs on: one that the sheet declares, or one of the package. */
import { resolve } from 'node:path'
import { didYouMean } from '../did-you-mean.ts'
import { formatPath } from './faults.ts'
import type { LayerContext } from './layer-context.ts'
import type { SheetInput } from './schema.ts'
import type { SheetModel, SheetVariant } from './sheet.ts'

/** Declared models, paths made absolute. */
export function readModels(input: SheetInput, { directory }: LayerContext): ReadonlyMap<string, SheetModel> {
  const models = new Map<string, SheetModel>()
  for (const [id, value] of Object.entries(input.models ?? {})) {
    const map = typeof value === 'string' ? { path: value } : value
    models.set(id, {
      id,
      path: resolve(directory, map.path),
      embedded: false,
      provider: map.provider,
      pipeline: map.pipeline,
      previewDecoder: map.preview_decoder === undefined ? undefined : resolve(directory, map.preview_decoder),
      sha256: map.sha256,
    })
  }
  return models
}

export interface KnownModels {
  readonly declared: ReadonlyMap<string, SheetModel>
  /** Absolute folders by id. */
  readonly embedded: Readonly<Record<string, string>>
}

/**
 * The model of one variant. Without a `model` setting: the only declared one, or, where none is declared, the
 * embedded one. undefined after a fault.
 */
export function findModel(
  variant: SheetVariant,
  cue: string,
  { declared, embedded }: KnownModels,
  { doc, faults }: LayerContext,
): SheetModel | undefined {
  const embeddedIds = Object.keys(embedded)
  const declaredIds = doc.keys(['models'])
  const fallback =
    declaredIds.length === 0 ? embeddedIds[0] : declaredIds.length === 1 ? declaredIds[0] : undefined
  const id = variant.settings.model ?? fallback
  if (id === undefined) {
    const path = ['cues', cue]
    const message = `${formatPath(path)} does not say which model to use.`
    const help =
      declaredIds.length === 0
        ? 'Declare one under "models".'
        : `Set "model" here or under "defaults". Declared: ${declaredIds.join(', ')}.`
    faults.add('E_NO_MODEL', doc.locate(path, 'key'), message, help)
    return undefined
  }
  const known =
    declared.get(id) ?? (Object.hasOwn(embedded, id) ? embeddedModel(id, embedded[id]!) : undefined)
  if (known === undefined && !declaredIds.includes(id)) {
    const path = variant.origins.model ?? variant.path
    const message = `${formatPath(path)} is "${id}", which is neither declared under "models" nor embedded.`
    faults.add('E_UNKNOWN_MODEL', doc.locate(path), message, didYouMean(id, [...declaredIds, ...embeddedIds]))
  }
  return known
}

function embeddedModel(id: string, path: string): SheetModel {
  return {
    id,
    path,
    embedded: true,
    provider: undefined,
    pipeline: undefined,
    previewDecoder: undefined,
    sha256: undefined,
  }
}
