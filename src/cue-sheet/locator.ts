/** Where things stand: paths of plain data → nodes of the syntax tree → lines and columns. */
import type { Alias, Document, Node, Pair, ParsedNode, Scalar, YAMLMap } from 'yaml'
import type { SourceLocation } from '../errors.ts'
import type { SheetPath } from './faults.ts'
import { yaml } from './yaml.ts'

export interface Locator {
  /** Where the value (or the key) at `path` stands; where nothing stands, the nearest parent. */
  readonly locate: (path: SheetPath, at?: 'key' | 'value') => SourceLocation
  /** Keys of the map at `path` in the order of the file. */
  readonly keys: (path: SheetPath) => readonly string[]
  /** The scalar at `path` as written in the file (variables not filled in), else undefined. */
  readonly written: (path: SheetPath) => string | undefined
}

/**
 * Nothing is worked out before it is asked for: most paths never are.
 * @param targets what each alias stands for
 */
export function createLocator(
  document: Document.Parsed<ParsedNode, true>,
  placeOf: (node: Node | null | undefined) => SourceLocation,
  targets: WeakMap<Alias, Node>,
): Locator {
  const { isAlias, isMap, isScalar, isSeq } = yaml()
  const resolve = (node: Node | null | undefined): Node | null | undefined =>
    isAlias(node) ? targets.get(node) : node

  const pairsOf = new WeakMap<YAMLMap, Map<string, Pair<Node, Node | null>>>()
  const keysOf = new WeakMap<YAMLMap, readonly string[]>()
  const pairsIn = (map: YAMLMap<Node, Node | null>): Map<string, Pair<Node, Node | null>> => {
    const known = pairsOf.get(map)
    if (known) return known
    const pairs = new Map<string, Pair<Node, Node | null>>()
    for (const pair of map.items) {
      const text = keyText(pair.key)
      if (text !== undefined && !pairs.has(text)) pairs.set(text, pair)
    }
    pairsOf.set(map, pairs)
    return pairs
  }

  /** The node at `path`, and its key; stops at the last node that exists. */
  const find = (
    wanted: SheetPath,
  ): { node: Node | null | undefined; key: Node | undefined; whole: boolean } => {
    let node: Node | null | undefined = document.contents
    let key: Node | undefined
    for (const part of wanted) {
      const parent = resolve(node)
      if (isMap<Node, Node | null>(parent)) {
        const pair = pairsIn(parent).get(String(part))
        if (pair === undefined) return { node, key, whole: false }
        key = pair.key
        node = pair.value
      } else if (isSeq<Node>(parent) && typeof part === 'number' && part < parent.items.length) {
        node = parent.items[part]
        key = node ?? undefined
      } else {
        return { node, key, whole: false }
      }
    }
    return { node, key, whole: true }
  }

  return {
    locate: (wanted, at = 'value') => {
      const { node, key, whole } = find(wanted)
      return placeOf(at === 'key' || !whole ? (key ?? node) : (node ?? key))
    },
    keys: (wanted) => {
      const { node, whole } = find(wanted)
      const map = resolve(node)
      if (!whole || !isMap<Node, Node | null>(map)) return []
      const known = keysOf.get(map)
      if (known) return known
      const keys = [...pairsIn(map).keys()]
      keysOf.set(map, keys)
      return keys
    },
    written: (wanted) => {
      const { node, whole } = find(wanted)
      const scalar = resolve(node)
      if (!whole || !isScalar(scalar)) return undefined
      if (scalar.type === 'PLAIN') return scalar.source
      return typeof scalar.value === 'string' ? JSON.stringify(scalar.value) : scalar.source
    },
  }
}

/** Keys that are refused, and that no path leads to. */
function isForbidden(key: Scalar): boolean {
  return isMergeKey(key) || key.value === '__proto__'
}

/** A plain `<<`; in quotes it is a word like any other. */
export function isMergeKey(key: Scalar): boolean {
  return key.value === '<<' && key.type === 'PLAIN'
}

function keyText(key: Node): string | undefined {
  if (!yaml().isScalar(key) || isForbidden(key)) return undefined
  return typeof key.value === 'string' ? key.value : key.source
}
