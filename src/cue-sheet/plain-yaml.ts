/**
 * The part of YAML that most sheets keep to, read straight into plain data: block maps of plain keys, and on one line
 * each plain or quoted scalars, `{…}` and `[…]`. The library builds a tree that knows every place, which takes longer
 * than all the rest of planning; whatever is out of the ordinary, or wrong, is left to it.
 */

// Tabs, controls, other line breaks, variables, and lines that begin or end documents.
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const UNUSUAL = /[\0-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff]|\$\{|^(?:---|\.\.\.|%)/m
const LINE = /( *)(?:#.*|)(?:\n|$)| *([A-Za-z_][\w.-]{0,200}):(?= |\n|$)/y
const FLOW_KEY = / *([A-Za-z_][\w.-]{0,200}): +/y
const QUOTED = /"([^"\\\n]*)"|'([^'\n]*)'/y
const BLOCK_TEXT = /[A-Za-z0-9_/(-][^\n]*/y
const FLOW_TEXT = /[A-Za-z0-9_/(-][^\n,[\]{}]*/y
const REST_OF_LINE = / *(?: #.*)?(?:\n|$)/y
const SPACES = / */y
const WORDS_WITH_MEANING = /^(?:null|true|false)$/i
const INTEGER = /^(?:0|-?[1-9]\d{0,14})$/
const DECIMAL = /^-?\d{1,15}\.\d{1,15}$/
/** Well below the depth that the library's path refuses. */
const MAX_DEPTH = 16

/** Something that is left to the library. */
class Unusual extends Error {}

/** @returns the data, maps without a prototype; undefined: this is for the library */
export function readPlainYaml(text: string): unknown {
  if (UNUSUAL.test(text)) return undefined
  try {
    return new PlainReader(text).root()
  } catch (error) {
    if (error instanceof Unusual) return undefined
    throw error
  }
}

class PlainReader {
  readonly #text: string
  #at = 0
  /** Indent of the key that the last line began with. */
  #indent = 0
  #key = ''
  #hasLine = false

  constructor(text: string) {
    this.#text = text
    this.#nextLine()
  }

  root(): unknown {
    if (!this.#hasLine || this.#indent !== 0) throw new Unusual()
    const data = this.#blockMap(0)
    if (this.#hasLine) throw new Unusual()
    return data
  }

  /** Goes to the next line with a key, over blank lines and comments, and stops before its value. */
  #nextLine(): void {
    while (this.#at < this.#text.length) {
      const start = this.#at
      const match = this.#match(LINE)
      if (match === null) throw new Unusual()
      const [, , key] = match
      if (key === undefined) continue
      this.#key = key
      this.#indent = this.#text.indexOf(key, start) - start
      this.#hasLine = true
      return
    }
    this.#hasLine = false
  }

  #blockMap(depth: number): unknown {
    if (depth > MAX_DEPTH) throw new Unusual()
    const data: Record<string, unknown> = Object.create(null)
    const indent = this.#indent
    while (this.#hasLine && this.#indent === indent) {
      const key = this.#key
      let value: unknown
      if (this.#match(REST_OF_LINE)) {
        this.#nextLine()
        value = this.#hasLine && this.#indent > indent ? this.#blockMap(depth + 1) : null
      } else {
        this.#match(SPACES)
        value = this.#value(BLOCK_TEXT, depth)
        if (!this.#match(REST_OF_LINE)) throw new Unusual()
        this.#nextLine()
      }
      put(data, key, value)
      // What is indented further goes on with a value that was whole: text over several lines, or a fault.
      if (this.#hasLine && this.#indent > indent) throw new Unusual()
    }
    return data
  }

  #value(plain: RegExp, depth: number): unknown {
    switch (this.#text[this.#at]) {
      case '{':
        return this.#flowMap(depth + 1)
      case '[':
        return this.#flowList(depth + 1)
      case '"':
      case "'": {
        const quoted = this.#match(QUOTED)
        if (quoted === null) throw new Unusual()
        return quoted[1] ?? quoted[2]
      }
      default:
        return this.#plainText(plain)
    }
  }

  #plainText(pattern: RegExp): unknown {
    const start = this.#at
    const match = this.#match(pattern)
    if (match === null) throw new Unusual()
    const [whole] = match
    const comment = whole.indexOf(' #')
    let end = comment < 0 ? whole.length : comment
    while (whole[end - 1] === ' ') end--
    const word = whole.slice(0, end)
    this.#at = start + end
    if (word.includes(': ') || word.endsWith(':')) throw new Unusual()
    return meaningOf(word)
  }

  #flowMap(depth: number): unknown {
    const data: Record<string, unknown> = Object.create(null)
    this.#flow(depth, '}', () => {
      const match = this.#match(FLOW_KEY)
      if (match?.[1] === undefined) throw new Unusual()
      put(data, match[1], this.#value(FLOW_TEXT, depth))
    })
    return data
  }

  #flowList(depth: number): unknown {
    const data: unknown[] = []
    this.#flow(depth, ']', () => {
      this.#match(SPACES)
      data.push(this.#value(FLOW_TEXT, depth))
      this.#match(SPACES)
      // `[a: 1]` is a list of a map.
      if (this.#text[this.#at] === ':') throw new Unusual()
    })
    return data
  }

  /** Items between brackets, parted by commas, none after the last. */
  #flow(depth: number, close: string, readItem: () => void): void {
    if (depth > MAX_DEPTH) throw new Unusual()
    this.#at++
    this.#match(SPACES)
    if (this.#text[this.#at] === close) {
      this.#at++
      return
    }
    for (;;) {
      readItem()
      this.#match(SPACES)
      const next = this.#text[this.#at++]
      if (next === close) return
      if (next !== ',') throw new Unusual()
    }
  }

  #match(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.#at
    const match = pattern.exec(this.#text)
    if (match) this.#at = pattern.lastIndex
    return match
  }
}

function put(data: Record<string, unknown>, key: string, value: unknown): void {
  if (key === '__proto__' || key in data || WORDS_WITH_MEANING.test(key)) throw new Unusual()
  data[key] = value
}

/** What an unquoted scalar means (YAML 1.2's core schema), as far as it is beyond doubt. */
function meaningOf(word: string): unknown {
  if (!/^[-.\d]/.test(word)) {
    if (!WORDS_WITH_MEANING.test(word)) return word
    if (word === 'null') return null
    if (word === 'true' || word === 'false') return word === 'true'
    throw new Unusual()
  }
  if (INTEGER.test(word) || DECIMAL.test(word)) return Number(word)
  // No number has a space in it; one that begins with "-" might be an item of a list.
  if (/^\d/.test(word) && word.includes(' ')) return word
  throw new Unusual()
}
