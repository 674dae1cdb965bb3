/** The folders of a sheet's models, read and checked; nothing loads. */
import type { CueSheet, SheetModel } from '../cue-sheet/sheet.ts'
import { PregenError, PregenErrors } from '../errors.ts'
import { checkModelFolder } from '../model/check.ts'
import { type AbsentWeights, absentWords } from '../model/data-files.ts'
import { modelFacts } from '../model/facts.ts'
import type { HashOptions } from '../model/file-hash.ts'
import { readModelFolder } from '../model/folder.ts'
import type { SelectOptions } from './options.ts'
import { placeOfModel } from './place-model.ts'
import type { PreparedModel, PrepareWarning } from './prepared.ts'

/** Reads and checks the folders of all models that the sheet uses. @throws PregenErrors with all their faults */
export async function prepareModels(
  sheet: CueSheet,
  options: SelectOptions,
): Promise<Map<string, PreparedModel>> {
  const { cacheDir, onHash, trustSize, withoutWeights, env, signal } = options
  const { modelPlaces = {}, onAbsentModel } = options
  const models = new Map<string, PreparedModel>()
  const faults: PregenError[] = []
  for (const [id, model] of Object.entries(sheet.models)) {
    signal?.throwIfAborted()
    const inSheet = (error: PregenError): PregenError => atItsModel(error, sheet, model)
    try {
      const own = Object.hasOwn(modelPlaces, id) ? modelPlaces[id] : undefined
      const path = own ?? placeOfModel(model, sheet, env)
      const how = { cacheDir, onHash, trustSize, withoutWeights }
      models.set(id, await prepareModel(id, { ...model, path }, how))
    } catch (error) {
      if (!(error instanceof PregenErrors || error instanceof PregenError)) throw error
      const own = (error instanceof PregenErrors ? error.errors : [error]).map(inSheet)
      if (onAbsentModel) onAbsentModel(id, own)
      else faults.push(...own)
    }
  }
  if (faults.length > 0) throw new PregenErrors(faults)
  return models
}

/** The sheet without the units of models that are not here. */
export function withModels(sheet: CueSheet, models: ReadonlyMap<string, PreparedModel>): CueSheet {
  if (Object.keys(sheet.models).every((id) => models.has(id))) return sheet
  const cues = sheet.cues.map((cue) => ({
    ...cue,
    variants: cue.variants.filter(({ settings }) => models.has(settings.model ?? '')),
  }))
  return { ...sheet, cues }
}

/** A path that the sheet got wrong is a fault of the sheet: told with its line, and the path in the message. */
function atItsModel(error: PregenError, sheet: CueSheet, { id, embedded, path }: SheetModel): PregenError {
  const { code, message, help, location } = error
  if (embedded || location === undefined) return error
  if (code !== 'E_MODEL_MISSING' && code !== 'E_MODEL_NOT_A_FOLDER') return error
  // The other path of a model is its preview decoder's.
  const key = location.file === path ? 'path' : 'preview_decoder'
  const place = sheet.locate(['models', id, key])
  return new PregenError(code, `models.${id}: ${location.file}: ${message}`, { help, location: place })
}

interface PrepareModelOptions extends HashOptions, Pick<SelectOptions, 'withoutWeights'> {}

async function prepareModel(
  id: string,
  model: SheetModel,
  { withoutWeights, ...hashing }: PrepareModelOptions,
): Promise<PreparedModel> {
  const { path, pipeline, variant, previewDecoder, provider, sha256 } = model
  const folder = readModelFolder(path, { pipeline, variant, previewDecoder })
  const absent: AbsentWeights[] = []
  const onAbsent = withoutWeights === true ? (weights: AbsentWeights) => void absent.push(weights) : undefined
  await checkModelFolder(folder, { ...hashing, onAbsent })
  const facts = await modelFacts(folder, { ...hashing, absent })
  if (sha256 !== undefined && sha256 !== facts.fingerprint && absent.length === 0) {
    throw new PregenError(
      'E_MODEL_SHA256',
      `The model "${id}" is not the one that the sheet names: its fingerprint is ${facts.fingerprint}, the sheet wants ${sha256}.`,
      {
        location: { file: path },
        help: 'Get the right folder, or correct sha256 ("pregen models inspect" prints the fingerprint).',
      },
    )
  }
  return { id, folder, facts, provider, pipeline, variant, previewDecoder, absent }
}

export function modelWarnings(models: ReadonlyMap<string, PreparedModel>): PrepareWarning[] {
  const all = [...models.values()]
  return [...all.flatMap(schedulerWarning), ...all.flatMap(weightsWarning)]
}

/** A folder whose two files name different schedulers: model_index.json's runs, as in diffusers. */
function schedulerWarning({ id, folder }: PreparedModel): PrepareWarning[] {
  const { schedulerClass, schedulerConfig } = folder
  const { _class_name: other } = schedulerConfig
  if (typeof other !== 'string' || other === schedulerClass) return []
  const message = `Model "${id}": model_index.json names ${schedulerClass}, scheduler_config.json ${other.slice(0, 80)}: the first runs, with the keys of the second, as in diffusers.`
  return [{ code: 'W_SCHEDULER_CLASS', message }]
}

/** A plan of a model before it was fetched: its sizes are known, and a run would be refused. */
function weightsWarning({ id, folder, absent = [] }: PreparedModel): PrepareWarning[] {
  if (absent.length === 0) return []
  const message = `Model "${id}": ${absentWords(absent, folder.path)}. The plan counts their sizes; a run needs the files.`
  return [{ code: 'W_WEIGHTS_ABSENT', message }]
}
