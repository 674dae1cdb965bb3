/**
 * JSON of a stranger: bounded in depth and in values, and faults that say where and what was expected, but quote nothing
 * of the text. V8's own messages quote it.
 */

/** A JSON object that nothing is known of yet. */
export type JsonObject = { readonly [key: string]: unknown }

export interface JsonLimits {
  /** Values, keys not counted. */
  readonly maxValues: number
  /** Levels of lists and maps. */
  readonly maxDepth?: number
  /** Whether bare NaN and ±Infinity, as Python's json writes them, are read, as strings. */
  readonly pythonNumbers?: boolean
  /** Whether `__proto__` may be a key, as in a vocabulary, where any word may. */
  readonly anyKey?: boolean
}

/** The message has the place: `line 3, column 7: …`. */
export class JsonTextError extends Error {
  override readonly name = 'JsonTextError'
}

const DEFAULT_DEPTH = 32

/** @throws JsonTextError */
export function parseJsonText(text: string, limits: JsonLimits): unknown {
  return JSON.parse(new JsonScanner(text, limits).scan())
}

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y
const WORD = /-?[A-Za-z]+/y
const LITERALS: ReadonlySet<string> = new Set(['true', 'false', 'null'])
const PYTHON_NUMBERS: ReadonlySet<string> = new Set(['NaN', 'Infinity', '-Infinity'])
const RESERVED_KEY = '__proto__'
/** `__proto__` with every character escaped. */
const LONGEST_RESERVED_KEY = 6 * RESERVED_KEY.length

const QUOTE = 0x22
const BACKSLASH = 0x5c

class JsonScanner {
  readonly #text: string
  readonly #limits: JsonLimits
  #at = 0
  #values = 0
  /** `[` and `{` that are open. */
  readonly #open: ('[' | '{')[] = []
  /** The text up to `#copied` with Python's numbers quoted. */
  readonly #pieces: string[] = []
  #copied = 0

  constructor(text: string, limits: JsonLimits) {
    this.#text = text
    this.#limits = limits
  }

  /** @returns the text, fit for `JSON.parse` */
  scan(): string {
    if (this.#text.charCodeAt(0) === 0xfeff) throw this.#fault('it begins with a byte order mark')
    do this.#value()
    while (this.#next())
    this.#blanks()
    if (this.#at < this.#text.length) throw this.#fault('something follows its end')
    return [...this.#pieces, this.#text.slice(this.#copied)].join('')
  }

  /** A value, or the opening of a list or map up to its first value. */
  #value(): void {
    for (;;) {
      this.#blanks()
      if (++this.#values > this.#limits.maxValues) {
        throw this.#fault(`it has more than ${this.#limits.maxValues} values`)
      }
      const mark = this.#text[this.#at]
      if (mark !== '[' && mark !== '{') {
        this.#scalar(mark)
        return
      }
      this.#open.push(mark)
      if (this.#open.length > (this.#limits.maxDepth ?? DEFAULT_DEPTH)) {
        throw this.#fault(`it is nested more than ${this.#limits.maxDepth ?? DEFAULT_DEPTH} levels deep`)
      }
      this.#at++
      this.#blanks()
      if (this.#text[this.#at] === (mark === '[' ? ']' : '}')) {
        this.#at++
        this.#open.pop()
        return
      }
      if (mark === '{') this.#key()
    }
  }

  /** Steps over what ends lists and maps. @returns whether another value follows */
  #next(): boolean {
    for (let mark = this.#open.at(-1); mark !== undefined; mark = this.#open.at(-1)) {
      this.#blanks()
      const close = mark === '[' ? ']' : '}'
      const found = this.#text[this.#at]
      if (found !== ',' && found !== close) throw this.#fault(`"," or "${close}" was expected`)
      this.#at++
      if (found === ',') {
        if (mark === '{') {
          this.#blanks()
          this.#key()
        }
        return true
      }
      this.#open.pop()
    }
    return false
  }

  #key(): void {
    if (this.#text[this.#at] !== '"') throw this.#fault('a key in double quotes was expected')
    const start = this.#at
    this.#string()
    if (this.#limits.anyKey !== true && this.#at - start <= LONGEST_RESERVED_KEY + 2) {
      const key: unknown = JSON.parse(this.#text.slice(start, this.#at))
      if (key === RESERVED_KEY) throw this.#fault(`it has a key ${RESERVED_KEY}`)
    }
    this.#blanks()
    if (this.#text[this.#at] !== ':') throw this.#fault('":" was expected')
    this.#at++
  }

  #scalar(mark: string | undefined): void {
    if (mark === '"') {
      this.#string()
      return
    }
    if (mark === undefined) throw this.#fault('it ends too early')
    NUMBER.lastIndex = this.#at
    const number = NUMBER.exec(this.#text)?.[0]
    if (number !== undefined) {
      this.#at += number.length
      return
    }
    WORD.lastIndex = this.#at
    const word = WORD.exec(this.#text)?.[0] ?? ''
    const python = this.#limits.pythonNumbers === true && PYTHON_NUMBERS.has(word)
    if (!python && !LITERALS.has(word)) throw this.#fault('a value was expected')
    if (python) {
      this.#pieces.push(this.#text.slice(this.#copied, this.#at), `"${word}"`)
      this.#copied = this.#at + word.length
    }
    this.#at += word.length
  }

  #string(): void {
    const text = this.#text
    for (let i = this.#at + 1; i < text.length; i++) {
      const code = text.charCodeAt(i)
      if (code === QUOTE) {
        this.#at = i + 1
        return
      }
      if (code < 0x20) throw this.#fault('a string holds a line break or another control character', i)
      if (code !== BACKSLASH) continue
      i++
      const escaped = text[i]
      if (escaped === 'u' && /^[0-9a-fA-F]{4}$/.test(text.slice(i + 1, i + 5))) i += 4
      else if (escaped === undefined || !'"\\/bfnrt'.includes(escaped)) {
        throw this.#fault('a string holds a backslash that escapes nothing', i)
      }
    }
    throw this.#fault('a string has no end')
  }

  #blanks(): void {
    const text = this.#text
    for (; this.#at < text.length; this.#at++) {
      const code = text.charCodeAt(this.#at)
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return
    }
  }

  #fault(reason: string, at = this.#at): JsonTextError {
    let line = 1
    let start = 0
    for (let i = this.#text.indexOf('\n'); i >= 0 && i < at; i = this.#text.indexOf('\n', i + 1)) {
      line++
      start = i + 1
    }
    return new JsonTextError(`line ${line}, column ${at - start + 1}: ${reason}`)
  }
}
