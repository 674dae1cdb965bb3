/** Which model a variant runs on: one that the sheet declares, or one of the package. */
import { resolve } from 'node:path'
import { didYouMean, listNames } from '../did-you-mean.ts'
import { formatPath, quoteWritten } from './faults.ts'
import type { LayerContext } from './layer-context.ts'
import type { SheetInput } from './schema.ts'
import type { SheetModel, SheetVariant } from './sheet.ts'

/** Declared models, paths made absolute. */
export function readModels(input: SheetInput, context: LayerContext): ReadonlyMap<string, SheetModel> {
  const { directory } = context
  const models = new Map<string, SheetModel>()
  for (const [id, value] of Object.entries(input.models ?? {})) {
    const map = typeof value === 'string' ? { path: value } : value
    checkSource(id, map, context)
    models.set(id, {
      id,
      path: map.path === undefined ? '' : resolve(directory, map.path),
      hub: map.hub,
      embedded: false,
      provider: map.provider,
      pipeline: map.pipeline,
      variant: map.variant,
      previewDecoder: map.preview_decoder === undefined ? undefined : resolve(directory, map.preview_decoder),
      sha256: map.sha256,
    })
  }
  return models
}

/** A model has one place. */
function checkSource(
  id: string,
  { path, hub }: { readonly path?: string | undefined; readonly hub?: string | undefined },
  { doc, faults }: LayerContext,
): void {
  if ((path === undefined) !== (hub === undefined)) return
  const place = ['models', id]
  const name = formatPath(place)
  if (path === undefined) {
    const help = 'Add "path: …" for a folder, or "hub: owner/name" for a model of the hub.'
    faults.add(
      'E_MISSING_KEY',
      doc.locate(place, 'key'),
      `${formatPath([...place, 'path'])} is missing.`,
      help,
    )
  } else {
    const message = `${name} has both a path and a hub.`
    faults.add('E_BAD_VALUE', doc.locate([...place, 'hub'], 'key'), message, 'Leave one of them out.')
  }
}

/** The model of one variant; undefined after a fault. */
export type FindModel = (variant: SheetVariant, cue: string) => SheetModel | undefined

/**
 * Without a `model` setting, a variant has the only declared model, or, where none is declared, the embedded one.
 */
export function createModelFinder(
  declared: ReadonlyMap<string, SheetModel>,
  embedded: Readonly<Record<string, string>>,
  { doc, faults }: LayerContext,
): FindModel {
  const embeddedIds = Object.keys(embedded)
  const declaredIds = new Set(doc.keys(['models']))
  const [firstDeclared] = declaredIds
  const fallback =
    declaredIds.size === 0 ? embeddedIds[0] : declaredIds.size === 1 ? firstDeclared : undefined
  return (variant, cue) => {
    const id = variant.settings.model ?? fallback
    if (id === undefined) {
      const path = ['cues', cue]
      const message = `${formatPath(path)} does not say which model to use.`
      faults.add('E_NO_MODEL', doc.locate(path, 'key'), message, () =>
        declaredIds.size === 0
          ? 'Declare one under "models".'
          : `Set "model" here or under "defaults". Declared: ${listNames([...declaredIds])}.`,
      )
      return undefined
    }
    const known =
      declared.get(id) ?? (Object.hasOwn(embedded, id) ? embeddedModel(id, embedded[id]!) : undefined)
    if (known === undefined && !declaredIds.has(id)) {
      const path = variant.origins.model ?? variant.path
      const shown = quoteWritten(doc.written(path) ?? id)
      const message = `${formatPath(path)} is ${shown}, which is neither declared under "models" nor embedded.`
      faults.add('E_UNKNOWN_MODEL', doc.locate(path), message, () =>
        didYouMean(id, [...declaredIds, ...embeddedIds]),
      )
    }
    return known
  }
}

function embeddedModel(id: string, path: string): SheetModel {
  return {
    id,
    path,
    hub: undefined,
    embedded: true,
    provider: undefined,
    pipeline: undefined,
    previewDecoder: undefined,
    sha256: undefined,
  }
}
