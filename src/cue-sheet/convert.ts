/** Syntax tree → plain data, with `${NAME}` filled in and the place of everything kept. */
import type { Alias, Node, Pair, Scalar, YAMLMap, YAMLSeq } from 'yaml'
import type { SourceLocation } from '../errors.ts'
import { shorten } from '../printable.ts'
import { beginsOddly, describeOddIndent, INDENT_HELP } from './blanks.ts'
import { type Faults, formatPath, quoteName, type SheetPath } from './faults.ts'
import { hasInterpolation, interpolate } from './interpolate.ts'
import { createLocator, isMergeKey, type Locator } from './locator.ts'
import { MAX_DEPTH, type ScannedSheet } from './scan.ts'
import { type AllowedVariables, howToAllow, mayRead } from './variables.ts'
import { yaml } from './yaml.ts'

/** Nodes that aliases may stand for in all; YAML bombs go far beyond. */
const MAX_ALIASED_NODES = 100_000

/** Keys, settings apart, whose `${NAME}` stays text even where it reads like a number. */
const TEXT_KEYS = new Set([
  ...['version', 'root', 'program', 'extends', 'bucket', 'endpoint', 'region', 'prefix'],
  ...['public_url', 'url', 'path', 'preview_decoder', 'sha256', 'name', 'callback', 'secret_env', 'job_id'],
])

const STRING_TAG = 'tag:yaml.org,2002:str'

export interface SheetDocument extends Locator {
  /** An alias stands for nothing, or for far too much: the data has a hole. */
  readonly isBroken: boolean
  /** Maps (without a prototype), arrays, strings, numbers, booleans, null; integers beyond 2^53 are bigints. */
  readonly data: unknown
}

export interface ConvertOptions {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly allowedVariables?: AllowedVariables | undefined
  readonly onVariable?: ((name: string, value: string) => void) | undefined
  /** Leaves a map out whose variables only targets use, and are not there. */
  readonly withoutTargets?: boolean | undefined
  readonly faults: Faults
  /** Whether the keys of the map at this path are ids that a person chose. */
  readonly isIdMap: (path: SheetPath) => boolean
  /** Whether this setting's `${NAME}` stays text, too. */
  readonly isTextSetting: (key: string) => boolean
}

export function convertSheet(scanned: ScannedSheet, options: ConvertOptions): SheetDocument {
  const { isAlias, isMap, isPair, isScalar, isSeq } = yaml()
  const { document, place, text: source } = scanned
  const { faults } = options
  const anchors = new Map<string, Node>()
  const path: (string | number)[] = []
  const targets = new WeakMap<Alias, Node>()
  const filled = new WeakMap<Scalar, string>()
  const unread = new Set<string>()
  let aliasDepth = 0
  let aliasedNodes = 0
  let unfoldsTooFar = false
  let isBroken = false

  const placeOf = (node: Node | null | undefined): SourceLocation => place(node?.range?.[0] ?? 0)

  const convert = (node: Node | null | undefined): unknown => {
    if (aliasDepth > 0 && ++aliasedNodes > MAX_ALIASED_NODES) unfoldsTooFar = true
    if (unfoldsTooFar) return undefined
    if (node === null || node === undefined) return null
    if (isAlias(node)) return convertAlias(node)
    if (node.anchor !== undefined && aliasDepth === 0) anchors.set(node.anchor, node)
    if (isMap<Node, Node>(node)) return convertMap(node)
    if (isSeq<Node>(node)) return convertSeq(node)
    return isScalar(node) ? convertScalar(node) : null
  }

  const convertAlias = (alias: Alias): unknown => {
    const target = anchors.get(alias.source)
    if (target === undefined) {
      const message = `The alias ${quoteName(alias.source)} has no anchor before it.`
      faults.add(
        'E_YAML_SYNTAX',
        placeOf(alias),
        message,
        'Write & and its name before the value it stands for.',
      )
      isBroken = true
      return undefined
    }
    targets.set(alias, target)
    if (aliasDepth >= MAX_DEPTH) unfoldsTooFar = true
    if (unfoldsTooFar) return undefined
    aliasDepth++
    const value = convert(target)
    aliasDepth--
    if (unfoldsTooFar && aliasDepth === 0 && !isBroken) {
      isBroken = true
      const message = `The alias ${quoteName(alias.source)} unfolds into itself or into too many values.`
      const help = 'Use "extends" or "defaults" instead of nested aliases.'
      faults.add('E_ALIAS_BOMB', placeOf(alias), message, help)
    }
    return value
  }

  const convertMap = (map: YAMLMap<Node, Node>): unknown => {
    const data: Record<string, unknown> = Object.create(null)
    const ids = options.isIdMap(path)
    for (const pair of map.items) {
      const key = keyOf(pair, ids)
      if (key === undefined) continue
      if (Object.hasOwn(data, key)) {
        const code = ids ? 'E_DUPLICATE_ID' : 'E_DUPLICATE_KEY'
        const message = `${formatPath([...path, key])} stands here twice.`
        faults.add(
          code,
          placeOf(pair.key),
          message,
          ids ? 'Rename one of the two.' : 'Take one of the two away.',
        )
        continue
      }
      path.push(key)
      data[key] = convert(pair.value)
      path.pop()
    }
    return data
  }

  const convertSeq = (seq: YAMLSeq<Node>): unknown => {
    return seq.items.map((item, index) => {
      path.push(index)
      const value = convert(isPair(item) ? undefined : item)
      path.pop()
      return value
    })
  }

  const keyOf = (pair: Pair<Node, Node | null>, isId: boolean): string | undefined => {
    const { key } = pair
    if (!isScalar(key)) {
      const message = `A key of ${formatPath(path)} is not a word.`
      const help = 'Keys are words. Text that begins with "{", "[" or "*" must stand in quotes.'
      faults.add('E_BAD_KEY', placeOf(key ?? pair.value), message, help)
      return undefined
    }
    if (isMergeKey(key)) {
      const help = 'Merge keys are not part of YAML 1.2: use "extends" on a program, or "defaults".'
      faults.add('E_MERGE_KEY', placeOf(key), `${formatPath(path)} has a merge key "<<".`, help)
      return undefined
    }
    if (key.value === '__proto__') {
      faults.add('E_RESERVED_KEY', placeOf(key), `"__proto__" cannot be a key.`, 'Choose another name.')
      return undefined
    }
    if (typeof key.value === 'string') {
      if (key.type !== 'PLAIN' || !beginsOddly(key.value)) return key.value
      faults.add('E_BLANK_INDENT', placeOf(key), describeOddIndent(key.value), INDENT_HELP)
      // It stands in the wrong place: what is said to be missing would be an echo.
      isBroken = true
      return key.value
    }
    const source = key.source ?? String(key.value)
    if (isId && source !== '') {
      const message = `The id ${quoteName(source)} under ${formatPath(path)} is ${kindOf(key.value)}, not text.`
      faults.add('E_ID_NOT_TEXT', placeOf(key), message, `Quote it: ${quoteName(source)}.`)
    } else {
      const message = `A key of ${formatPath(path)} is ${kindOf(key.value)}, not a word.`
      faults.add('E_BAD_KEY', placeOf(key), message, 'Keys are words.')
    }
    return source === '' ? undefined : source
  }

  const convertScalar = (scalar: Scalar): unknown => {
    const { value } = scalar
    if (typeof value === 'bigint') {
      return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER ? Number(value) : value
    }
    if (typeof value !== 'string') return value
    warnOfComment(scalar)
    // A refused tag leaves its value unread: read it as if the tag were not there.
    if (scalar.tag !== undefined && scalar.tag !== STRING_TAG && scalar.type === 'PLAIN')
      return plainValue(value)
    if (!hasInterpolation(value)) return value
    const last = path.findLast((part) => typeof part === 'string')
    const isText =
      scalar.type !== 'PLAIN' ||
      (typeof last === 'string' && (TEXT_KEYS.has(last) || options.isTextSetting(last)))
    // An alias may stand for one long text a hundred thousand times.
    const text = filled.get(scalar) ?? fill(scalar, value)
    filled.set(scalar, text)
    return isText ? text : plainValue(text)
  }

  /** A prompt without quotes ends where a comment begins, whether or not one was meant. */
  const warnOfComment = ({ type, range }: Scalar): void => {
    const key = path.at(-1)
    if (type !== 'PLAIN' || range == null || typeof key !== 'string' || !key.includes('prompt')) return
    if (source.slice(range[1], range[1] + 2) !== ' #') return
    const message = `${formatPath(path)} ends before " #", where a comment begins. Write the prompt in quotes if that is part of it, or two blanks before "#" if not.`
    faults.warn('W_COMMENT_IN_PROMPT', place(range[1]), message)
  }

  const fill = (scalar: Scalar, value: string): string => {
    const allow = (name: string) => mayRead(name, options.allowedVariables ?? [])
    const found = interpolate(value, options.env, allow)
    const { text, unset, refused, malformed } = found
    const [top] = path
    if (
      options.withoutTargets &&
      (top === 'storage' || top === 'callback') &&
      unset.length + refused.length > 0
    ) {
      unread.add(top)
      return text
    }
    // What names folders and keys is public, whoever set it.
    if (!isPublic(path)) for (const [name, content] of found.filled) options.onVariable?.(name, content)
    for (const name of refused) {
      const message = `${formatPath(path)} reads the environment variable ${quoteName(name)}, which a sheet may not.`
      faults.add('E_ENV_NOT_ALLOWED', placeOf(scalar), message, howToAllow(shorten(name, 80)))
    }
    for (const name of unset) {
      const message = `${formatPath(path)} needs the environment variable ${shorten(name, 80)}, which is not set.`
      faults.add(
        'E_ENV_UNSET',
        placeOf(scalar),
        message,
        `Set ${shorten(name, 80)}, or write $\${${shorten(name, 80)}} for the text itself.`,
      )
    }
    for (const bad of malformed) {
      const message = `${formatPath(path)} has ${quoteName(bad)}, which names no variable.`
      faults.add(
        'E_BAD_INTERPOLATION',
        placeOf(scalar),
        message,
        `Write \${NAME}, or $\${ for a literal \${.`,
      )
    }
    return text
  }

  const data = convert(document.contents)
  if (typeof data === 'object' && data !== null) for (const top of unread) Reflect.deleteProperty(data, top)

  return { data, isBroken, ...createLocator(document, placeOf, targets) }
}

/** Whether the value at `path` becomes part of folder names and keys. */
function isPublic([top, , third]: SheetPath): boolean {
  return top === 'version' || top === 'root' || third === 'matrix' || third === 'seeds'
}

function kindOf(value: unknown): string {
  if (value === null) return 'empty'
  return typeof value === 'boolean' ? 'true or false' : 'a number'
}

/** What an unquoted `${NAME}` reads as once it is filled in: a number, true or false, or text. */
function plainValue(text: string): unknown {
  if (text === 'true' || text === 'false') return text === 'true'
  if (!/^-?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?$/.test(text)) return text
  const number = Number(text)
  return Number.isInteger(number) && !Number.isSafeInteger(number) ? text : number
}
