/** zod's issues in the words of a sheet: code, place, what, and what to do. */

import { didYouMean, nearest } from '../did-you-mean.ts'
import type { ErrorCode } from '../error-codes.ts'
import { FAMILY_NAMES } from '../families/index.ts'
import { FILM_FORMATS } from '../films/film-options.ts'
import type { z } from '../zod.ts'
import type { SheetDocument } from './convert.ts'
import { type Faults, formatPath, quoteName, type SheetPath } from './faults.ts'
import { callbackMapSchema, isIdMap, modelSchema, sheetSchema, storageSchema } from './schema.ts'
import { isSettingKey, rowOf, SETTING_KEYS } from './setting-types.ts'
import { filmMapSchema, previewsMapSchema, SEED_RULE } from './setting-values.ts'

type Issue = z.core.$ZodIssue

const CUE_KEYS = ['program', 'variants', 'seeds', 'matrix', 'rows', ...SETTING_KEYS]

/** Reports every issue of a failed parse. */
export function explainIssues(issues: readonly Issue[], doc: SheetDocument, faults: Faults): void {
  for (const issue of issues.flatMap((each) => pickBranch(each, []))) explainIssue(issue, doc, faults)
}

interface PlacedIssue {
  readonly issue: Issue
  readonly path: SheetPath
}

/** Of a union that nothing fits, the branch that the value was most likely meant for. */
function pickBranch(issue: Issue, prefix: SheetPath): PlacedIssue[] {
  const path = [...prefix, ...issue.path.filter((part) => typeof part !== 'symbol')]
  if (issue.code !== 'invalid_union') return [{ issue, path }]
  const inner = issue.errors.find((branch) => !branch.some((each) => wrongKind(each)))
  return inner ? inner.flatMap((each) => pickBranch(each, path)) : [{ issue, path }]
}

function wrongKind(issue: Issue): boolean {
  return issue.path.length === 0 && (issue.code === 'invalid_type' || issue.code === 'invalid_union')
}

function explainIssue({ issue, path }: PlacedIssue, doc: SheetDocument, faults: Faults): void {
  if (issue.code === 'unrecognized_keys') {
    const valid = validKeys(path)
    for (const key of issue.keys) {
      const place = path.length === 0 ? 'The sheet' : formatPath(path)
      const message = `${place} has no key ${quoteName(key)}.`
      faults.add('E_UNKNOWN_KEY', doc.locate([...path, key], 'key'), message, () => didYouMean(key, valid))
    }
    return
  }
  const value = valueAt(doc.data, path)
  if (value === undefined) {
    explainMissing(path, doc, faults)
    return
  }
  const name = formatPath(path)
  const shown = show(doc, path, value)
  const location = doc.locate(path)
  const { code, must } = ruleAt(path)
  if (code === 'E_BAD_SEED' && isLossy(value)) {
    const help = `Quote it: "${value}". Many programs that read YAML round whole numbers from 2^53 up.`
    faults.add('E_SEED_UNQUOTED', location, `${name} is ${shown}, too large for a bare number.`, help)
    return
  }
  if (code === 'E_BAD_VERSION' && typeof value === 'number') {
    const help = `Quote it: "${doc.written(path) ?? value}". As a number it would lose zeros.`
    faults.add(code, location, `${name} is the number ${shown}, not text.`, help)
    return
  }
  if (code === 'E_BAD_SEED' && isRandomSeed(value)) {
    const help = `Write a number of your own, such as 7, or "seeds: [1, 2, 3]" for several: every picture can be drawn again. It must be ${must}.`
    faults.add(code, location, `${name} is ${shown}, which stands for a random seed elsewhere.`, help)
    return
  }
  const guess = enumGuess(issue, value)
  const help = `It must be ${must}.`
  faults.add(
    code,
    location,
    `${name} is ${shown}.`,
    guess === undefined ? help : `Did you mean "${guess}"? ${help}`,
  )
}

function enumGuess(issue: Issue, value: unknown): string | undefined {
  if (issue.code !== 'invalid_value' || typeof value !== 'string') return undefined
  return nearest(value, issue.values.map(String))
}

/** As web interfaces have it. */
function isRandomSeed(value: unknown): boolean {
  return typeof value === 'string' ? /^(?:-1|random)$/i.test(value) : value === -1
}

function isLossy(value: unknown): value is bigint | number {
  if (typeof value === 'bigint') return value > 0n && value < 2n ** 64n
  return typeof value === 'number' && value > Number.MAX_SAFE_INTEGER && Number.isFinite(value)
}

function explainMissing(path: SheetPath, doc: SheetDocument, faults: Faults): void {
  const key = path.at(-1)
  const location = doc.locate(path.slice(0, -1), 'key')
  if (path.length === 1 && key === 'programs') {
    const help = 'Add "programs:" with one at least, such as "P0: {}".'
    faults.add('E_NO_PROGRAMS', location, 'The sheet has no programs.', help)
  } else if (path.length === 1 && key === 'cues') {
    const help = 'Add "cues:" with one at least: a program, a prompt, and variants or seeds.'
    faults.add('E_NO_CUES', location, 'The sheet has no cues.', help)
  } else {
    const help = `Add "${String(key)}: …".`
    faults.add('E_MISSING_KEY', location, `${formatPath(path)} is missing.`, help)
  }
}

/** The keys that the map at `path` may have. */
function validKeys(path: SheetPath): readonly string[] {
  const [top] = path
  if (path.length === 0) return Object.keys(sheetSchema.shape)
  if (path.at(-1) === 'previews' && !isIdMap(path.slice(0, -1))) return Object.keys(previewsMapSchema.shape)
  if (path.at(-1) === 'film' && !isIdMap(path.slice(0, -1))) return Object.keys(filmMapSchema.shape)
  if (top === 'models') return Object.keys(modelSchema.shape)
  if (top === 'storage') return Object.keys(storageSchema.shape)
  if (top === 'callback') return Object.keys(callbackMapSchema.shape)
  if (top === 'programs') return ['extends', ...SETTING_KEYS]
  return top === 'cues' && path.length === 2 ? CUE_KEYS : SETTING_KEYS
}

const PREVIEW_RULES: Readonly<Record<string, string>> = {
  method: 'none, latent2rgb, taesd, full or auto',
  every: 'a whole number from 1 to 1000',
  source: 'denoised or latents',
  size: 'latent or image',
  frames: 'middle, all or animated',
}

const FILM_RULES: Readonly<Record<string, string>> = {
  format: `${FILM_FORMATS.slice(0, -1).join(', ')} or ${FILM_FORMATS.at(-1)}`,
  pace: 'true, even, or a factor from 0.001 to 1000',
  hold: 'a time such as 2s or 500ms',
  fade: 'a whole number of milliseconds from 0 to 10000',
  fps: 'a number above 0, at most 240',
}

const OTHER_RULES: Readonly<Record<string, string>> = {
  version: 'text; quote what reads like a number',
  root: 'a folder name',
  models: 'a map of ids to folders',
  programs: 'a map of ids to settings',
  cues: 'a map of ids to cues',
  defaults: 'a map of settings',
  variants: 'a map of ids to settings',
  seeds: 'a list of whole numbers',
  rows: 'the path of a .csv or .jsonl file',
  matrix: 'a map of axes, each with a list of words or numbers',
  program: 'the id of a program',
  extends: 'the id of a program',
  storage: 'a map with "bucket"',
  callback: 'an https URL, or a map with "url"',
  concurrency: 'a whole number from 1 to 256',
  force_path_style: 'true or false',
  provider: 'auto, cpu, cuda, webgpu, dml or coreml',
  pipeline: `${FAMILY_NAMES.slice(0, -1).join(', ')} or ${FAMILY_NAMES.at(-1)}`,
  sha256: '64 hexadecimal digits in lower case',
  on: 'run or unit',
  secret_env: 'the name of an environment variable',
}

/** Code and range of the value at `path`, by the part of the sheet it stands in. */
function ruleAt(path: SheetPath): { readonly code: ErrorCode; readonly must: string } {
  const key = path.at(-1)
  if (path.length === 1 && key === 'version') return { code: 'E_BAD_VERSION', must: OTHER_RULES.version! }
  if (typeof key === 'number') {
    if (path.at(-2) === 'seeds') return SEED_RULE
    const axis = path.at(-2)
    if (path.at(-3) === 'matrix' && typeof axis === 'string' && isSettingKey(axis)) return rowOf(axis)
    return { code: 'E_BAD_VALUE', must: 'a word, a number, true or false' }
  }
  if (key === undefined) return { code: 'E_BAD_VALUE', must: 'a map' }
  if (path.at(-2) === 'matrix') return { code: 'E_BAD_VALUE', must: 'a list of one value at least' }
  if (path.at(-2) === 'previews') return { code: 'E_BAD_VALUE', must: PREVIEW_RULES[key] ?? 'text' }
  if (path.at(-2) === 'film') return { code: 'E_BAD_VALUE', must: FILM_RULES[key] ?? 'text' }
  if (path.at(-2) === 'scheduler')
    return { code: 'E_BAD_VALUE', must: 'a word, a number, true, false or a list of numbers' }
  const [top] = path
  if (path.length === 2 && top === 'models')
    return { code: 'E_BAD_VALUE', must: 'a folder, or a map with "path" or "hub"' }
  if (path.length === 2 && top === 'programs') return { code: 'E_BAD_VALUE', must: 'a map of settings' }
  if (path.length === 2 && top === 'cues') return { code: 'E_BAD_VALUE', must: 'a map with "program"' }
  if (path.length === 4 && path[2] === 'variants') return { code: 'E_BAD_VALUE', must: 'a map of settings' }
  if (isSettingKey(key) && top !== 'storage' && top !== 'callback') return rowOf(key)
  return { code: 'E_BAD_VALUE', must: OTHER_RULES[key] ?? 'text; quote what reads like a number' }
}

/** The value at `path` of plain data, undefined where there is none. */
function valueAt(data: unknown, path: SheetPath): unknown {
  let value = data
  for (const part of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined
    value = Reflect.get(value, part)
  }
  return value
}

const MAX_SHOWN_CHARS = 80

/** A value as the sheet has it: variables are not filled in, so nothing secret is shown. */
function show(doc: SheetDocument, path: SheetPath, value: unknown): string {
  if (value === null) return 'empty'
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list'
  if (typeof value === 'object') return 'a map'
  const written = (doc.written(path) ?? String(value)).slice(0, MAX_SHOWN_CHARS + 1)
  const text = typeof value === 'string' && !written.startsWith('"') ? JSON.stringify(written) : written
  return text.length > MAX_SHOWN_CHARS ? `${text.slice(0, MAX_SHOWN_CHARS - 1)}…` : text
}
