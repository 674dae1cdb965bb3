/**
 * A sheet's data without its places, from a library that reads YAML four times as fast as the one that knows every
 * place. Whatever the two might read differently, and whatever is wrong, is left to the other one.
 */
import {
  defineMappingTag,
  defineScalarTag,
  load,
  NOT_RESOLVED,
  Schema,
  seqTag,
  strTag,
  YAMLException,
} from 'js-yaml'
import { mayBeginOddly } from './blanks.ts'

// Controls, tabs, other line breaks, variables, lines that begin or end documents; then tags, anchors and aliases.
const UNUSUAL =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  /[\0-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff]|\$\{|^ *(?:---|\.\.\.|%)|(?:^|[\s,:[{?-])[!&*]/m
const WORDS_WITH_MEANING = /^(?:null|true|false|~)$/i
const NUMBER = /^(?:0|-?[1-9]\d{0,14}|-?\d{1,15}\.\d{1,15})$/
/** Keys that JavaScript would bring into an order of its own. */
const INDEX = /^\d+$/
/** YAML allows 1024 characters as they are written, of which an escape takes ten; the other library counts. */
const MAX_KEY_CHARS = 100
/** Well below the depth that the other path refuses. */
const MAX_DEPTH = 16

/** Something that is left to the other library. */
class Unusual extends Error {}

/** What an unquoted scalar means in YAML 1.2's core schema, as far as it is beyond doubt. */
const plainScalar = defineScalarTag<unknown>('tag:pregen,plain', {
  implicit: true,
  resolve(word) {
    if (word === '') return null
    if (!/^[-+.\d]/.test(word)) {
      if (!WORDS_WITH_MEANING.test(word)) return NOT_RESOLVED
      if (word === 'null' || word === '~') return null
      if (word === 'true' || word === 'false') return word === 'true'
      throw new Unusual()
    }
    if (NUMBER.test(word)) return Number(word)
    // No number has a space in it.
    if (word.includes(' ')) return NOT_RESOLVED
    throw new Unusual()
  },
  identify: () => false,
})

/** Maps have no prototype, as in the other path. */
const plainMap = defineMappingTag<Record<string, unknown>>('tag:yaml.org,2002:map', {
  create: () => Object.create(null),
  addPair(map, key, value) {
    // The other library takes no longer ones.
    if (
      typeof key !== 'string' ||
      key.length > MAX_KEY_CHARS ||
      key === '__proto__' ||
      key === '<<' ||
      INDEX.test(key)
    )
      throw new Unusual()
    map[key] = value
    return ''
  },
  has: (map, key) => typeof key === 'string' && key in map,
  keys: Object.keys,
  get: (map, key) => (typeof key === 'string' ? map[key] : undefined),
  identify: () => false,
})

const SCHEMA = new Schema([strTag, seqTag, plainMap, plainScalar])

/** @returns the data, maps without a prototype; undefined: this is for the other library, which says what is wrong */
export function readPlainYaml(text: string): unknown {
  if (UNUSUAL.test(text) || mayBeginOddly(text)) return undefined
  try {
    const data = load(text, { schema: SCHEMA, maxDepth: MAX_DEPTH, maxAliases: 0 })
    return typeof data === 'object' && data !== null && !Array.isArray(data) ? data : undefined
  } catch (error) {
    if (error instanceof Unusual || error instanceof YAMLException) return undefined
    throw error
  }
}
