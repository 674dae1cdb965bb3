/**
 * Weighted prompts in the grammar of AUTOMATIC1111's web UI (`modules/prompt_parser.py`):
 * `(x)` ×1.1, `[x]` ÷1.1, `(x:1.3)` ×1.3, nested brackets multiply, `\(` is a bracket in the text,
 * `BREAK` ends a chunk. An unclosed bracket counts to the end; a closing one without an opening is text.
 */

import { PregenError } from '../errors.ts'

/** A piece of a prompt and its weight. `['BREAK', -1]` stands for a chunk's end. */
export type WeightedText = readonly [text: string, weight: number]

const roundBracketWeight = 1.1
const squareBracketWeight = 1 / 1.1
export const breakWeight = -1

/** An escape, a bracket, `:weight)`, a run of text, or a lone colon. */
const lexeme = /\\[()[\]\\]|\\|\(|\[|:\s*([+-]?[.\d]+)\s*\)|\)|\]|[^\\()[\]:]+|:/gu
const WORD = /[\p{L}\p{N}_]/u
/** Deeper brackets weigh a word hundreds of thousands of times, and each of them is counted for every piece inside it. */
const MAX_OPEN_BRACKETS = 200

/**
 * `'a (b:1.2)'` → `[['a ', 1], ['b', 1.2]]`; neighbours of one weight are joined. A BREAK inside brackets is
 * multiplied like any other text and then is no chunk's end any more, as in the web UI.
 *
 * @throws PregenError `E_PROMPT_WEIGHT` for a weight that is no number, such as `(x:1.2.3)`
 */
export function parsePromptWeights(text: string): readonly WeightedText[] {
  const pieces: [text: string, weight: number][] = []
  const roundBrackets: number[] = []
  const squareBrackets: number[] = []
  const multiplyFrom = (start: number, factor: number): void => {
    for (const piece of pieces.slice(start)) piece[1] *= factor
  }

  for (const [token, weight] of text.matchAll(lexeme)) {
    const open = token.endsWith(')') ? roundBrackets.at(-1) : squareBrackets.at(-1)
    if (roundBrackets.length + squareBrackets.length > MAX_OPEN_BRACKETS) throw tooManyBrackets()
    if (token.startsWith('\\')) pieces.push([token.slice(1), 1])
    else if (token === '(') roundBrackets.push(pieces.length)
    else if (token === '[') squareBrackets.push(pieces.length)
    else if (weight !== undefined && open !== undefined) {
      roundBrackets.pop()
      multiplyFrom(open, parseWeight(weight, token))
    } else if (token === ')' && open !== undefined) {
      roundBrackets.pop()
      multiplyFrom(open, roundBracketWeight)
    } else if (token === ']' && open !== undefined) {
      squareBrackets.pop()
      multiplyFrom(open, squareBracketWeight)
    } else {
      for (const [i, part] of splitAtBreaks(token).entries()) {
        if (i > 0) pieces.push(['BREAK', breakWeight])
        pieces.push([part, 1])
      }
    }
  }
  for (const start of roundBrackets) multiplyFrom(start, roundBracketWeight)
  for (const start of squareBrackets) multiplyFrom(start, squareBracketWeight)

  return pieces.length === 0 ? [['', 1]] : joinEqualWeights(pieces)
}

/** The parts between the words BREAK, without the white space around those. */
function splitAtBreaks(text: string): string[] {
  const parts: string[] = []
  let done = 0
  for (let at = text.indexOf('BREAK'); at >= 0; at = text.indexOf('BREAK', at + 5)) {
    if (isWordBeside(text, at - 1) || isWordBeside(text, at + 5)) continue
    parts.push(text.slice(done, at))
    done = at + 5
  }
  parts.push(text.slice(done))
  return parts.map((part, i) => {
    const started = i === 0 ? part : part.trimStart()
    return i === parts.length - 1 ? started : started.trimEnd()
  })
}

/** Whether the character that has a unit at `index` is a letter, a digit or `_`. */
function isWordBeside(text: string, index: number): boolean {
  if (index < 0) return false
  const isSecondHalf = index > 0 && /[\udc00-\udfff]/.test(text[index] ?? '')
  return WORD.test(String.fromCodePoint(text.codePointAt(isSecondHalf ? index - 1 : index) ?? 0))
}

function tooManyBrackets(): PregenError {
  return new PregenError(
    'E_PROMPT_WEIGHT',
    `The prompt has more than ${MAX_OPEN_BRACKETS} brackets open at once.`,
    {
      help: 'Write a bracket that is part of the text as "\\(" or "\\[".',
    },
  )
}

function joinEqualWeights(pieces: readonly WeightedText[]): WeightedText[] {
  const joined: [text: string, weight: number][] = []
  for (const [text, weight] of pieces) {
    const last = joined.at(-1)
    if (last !== undefined && last[1] === weight) last[0] += text
    else joined.push([text, weight])
  }
  return joined
}

function parseWeight(digits: string, token: string): number {
  const weight = Number(digits)
  if (Number.isFinite(weight)) return weight
  throw new PregenError('E_PROMPT_WEIGHT', `The prompt has "${token}", and "${digits}" is not a number.`, {
    help: 'Write a weight as in "(word:1.2)"; for a plain bracket or colon write "\\(".',
  })
}
