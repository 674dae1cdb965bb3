/** Which files of a repository a model folder in diffusers' ONNX layout needs. Pure. */
import { PregenError } from '../errors.ts'
import { COMPONENT_NAMES } from '../families/index.ts'

export interface HubFile {
  readonly path: string
  readonly sizeBytes: number
  /** sha-256 of a large file, git's object id of a small one; lower-case hex. */
  readonly digest: { readonly kind: 'sha256' | 'git-blob'; readonly hex: string }
}

const FOLDERS: ReadonlySet<string> = new Set([...COMPONENT_NAMES, 'preview_decoder', 'taesd'])
/** JSON, vocabularies and licences: small, and read by tokenizers, schedulers and people. */
const SMALL_FILE = /\.(?:json|txt|model|md|jinja)$/i
const SMALL_FOLDER = /^(?:scheduler|tokenizer(?:_[234])?|feature_extractor|image_processor)$/

/**
 * @param variant such as `fp16`: takes `model_fp16.onnx` or `model.fp16.onnx` where a component has one
 * @param root folder of the repository that holds model_index.json; "" for its top
 * @throws PregenError `E_HUB_NO_ONNX`, `E_HUB_NO_VARIANT`
 */
export function selectFiles(
  files: readonly HubFile[],
  { repo, root, variant }: { repo: string; root: string; variant?: string | undefined },
): readonly HubFile[] {
  const prefix = root === '' ? '' : `${root}/`
  const inside = files.filter(({ path }) => path.startsWith(prefix))
  const relative = (file: HubFile) => file.path.slice(prefix.length)
  const selected = new Set<HubFile>()
  const components = new Map<string, HubFile[]>()
  for (const file of inside) {
    const [folder, name, ...deeper] = relative(file).split('/')
    if (folder === undefined || deeper.length > 0) continue
    if (name === undefined) {
      if (SMALL_FILE.test(folder)) selected.add(file)
    } else if (SMALL_FOLDER.test(folder)) {
      if (SMALL_FILE.test(name)) selected.add(file)
    } else if (FOLDERS.has(folder)) {
      components.set(folder, [...(components.get(folder) ?? []), file])
    }
  }
  let hasVariant = false
  let hasModel = false
  for (const [folder, parts] of components) {
    const nameOf = (file: HubFile) => relative(file).slice(folder.length + 1)
    for (const part of parts) if (/^(?:config|preview)\.json$/.test(nameOf(part))) selected.add(part)
    const models = parts.filter((part) => nameOf(part).endsWith('.onnx'))
    const wanted = variant === undefined ? undefined : models.find((part) => isVariant(nameOf(part), variant))
    const model = wanted ?? models.find((part) => nameOf(part) === 'model.onnx')
    hasVariant ||= wanted !== undefined
    if (model === undefined) continue
    hasModel = true
    selected.add(model)
    // External data lies beside the model, under its name or as model.onnx_data / weights.pb; other variants' does not.
    const stem = nameOf(model)
    const others = models.filter((part) => part !== model).map(nameOf)
    for (const part of parts) if (isDataOf(nameOf(part), stem, others)) selected.add(part)
  }
  if (!hasModel) {
    const holders = [
      ...new Set(files.filter(({ path }) => path.endsWith('.onnx')).map(({ path }) => path.split('/')[0])),
    ]
    throw new PregenError('E_HUB_NO_ONNX', `${repo} holds no model in diffusers' ONNX layout.`, {
      help:
        holders.length > 0
          ? `It has .onnx files in: ${holders.slice(0, 10).join(', ')}.`
          : 'Export it (docs/models.md says how), or look for a repository whose name ends in "-onnx".',
    })
  }
  if (variant !== undefined && !hasVariant) {
    const names = [...components].flatMap(([, parts]) => parts.map(({ path }) => path.split('/').at(-1)!))
    const found = [...new Set(names.filter((name) => name.endsWith('.onnx')))]
    throw new PregenError('E_HUB_NO_VARIANT', `${repo} has no variant "${variant}".`, {
      help: `Its models are named ${found.slice(0, 10).join(', ')}.`,
    })
  }
  return inside.filter((file) => selected.has(file))
}

/** The folder with model_index.json that lies highest; null where there is none. */
export function findModelRoot(files: readonly HubFile[]): string | null {
  const roots = files
    .filter(({ path }) => path === 'model_index.json' || path.endsWith('/model_index.json'))
    .map(({ path }) => path.slice(0, -'model_index.json'.length).replace(/\/$/, ''))
  return roots.sort((a, b) => a.split('/').length - b.split('/').length || (a < b ? -1 : 1))[0] ?? null
}

function isVariant(name: string, variant: string): boolean {
  return name === `model_${variant}.onnx` || name === `model.${variant}.onnx`
}

function isDataOf(name: string, model: string, others: readonly string[]): boolean {
  if (name.endsWith('.onnx') || name.endsWith('.json')) return false
  if (name.startsWith(`${model}_data`) || name.startsWith(`${model}.data`)) return true
  if (others.some((other) => name.startsWith(other))) return false
  return /^(?:weights\.pb|.*\.(?:data|bin|onnx_data))$/.test(name)
}
