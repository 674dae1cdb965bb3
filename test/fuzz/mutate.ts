/** Seeded changes to bytes: the same seed makes the same inputs. */

export type Random = () => number

/** mulberry32: numbers in 0 … 1. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Inputs grow no further than this: what costs more than linear time shows long before. */
const MAX_BYTES = 65_536

const NUMBERS = [
  '0',
  '-1',
  '1e308',
  '1e999',
  '4294967296',
  '9007199254740993',
  'NaN',
  '-Infinity',
  '0.5',
  '""',
  'null',
]

type Change = (bytes: Buffer, random: Random, others: readonly Buffer[]) => Buffer

function pick<T>(random: Random, values: readonly T[]): T {
  return values[Math.floor(random() * values.length)]!
}

/** Two places in order. */
function span(bytes: Buffer, random: Random): [number, number] {
  const [a, b] = [random(), random()].map((each) => Math.floor(each * (bytes.length + 1)))
  return [Math.min(a!, b!), Math.max(a!, b!)]
}

const CHANGES: readonly Change[] = [
  (bytes, random) => {
    const changed = Buffer.from(bytes)
    for (let i = 0; i <= random() * 8; i++)
      changed[Math.floor(random() * bytes.length)] = Math.floor(random() * 256)
    return changed
  },
  (bytes, random) => {
    const [from, to] = span(bytes, random)
    return Buffer.concat([bytes.subarray(0, from), bytes.subarray(to)])
  },
  (bytes, random) => {
    const [from, to] = span(bytes, random)
    const times = 1 + Math.floor(random() ** 4 * 200)
    return Buffer.concat([
      bytes.subarray(0, to),
      ...Array<Buffer>(times).fill(bytes.subarray(from, Math.min(to, from + 64))),
      bytes.subarray(to),
    ])
  },
  (bytes, random, others) => {
    const other = pick(random, others)
    const [from, to] = span(other, random)
    const at = Math.floor(random() * (bytes.length + 1))
    return Buffer.concat([bytes.subarray(0, at), other.subarray(from, to), bytes.subarray(at)])
  },
  (bytes, random) => {
    const text = bytes.toString('latin1')
    const numbers = [...text.matchAll(/\d+(?:\.\d+)?/g)]
    if (numbers.length === 0) return bytes
    const { index, 0: found } = pick(random, numbers)
    return Buffer.from(
      text.slice(0, index) + pick(random, NUMBERS) + text.slice(index + found.length),
      'latin1',
    )
  },
  (bytes, random) => {
    const at = Math.floor(random() * (bytes.length + 1))
    const word = pick(random, [
      '{',
      '[',
      '"',
      '\\',
      ':',
      '\n',
      '\0',
      '__proto__',
      '../',
      '&a ',
      '*a',
      ['$', '{X}'].join(''),
      '\ufeff',
      '<!--',
      '%00',
      '\u202e',
    ])
    return Buffer.concat([
      bytes.subarray(0, at),
      Buffer.from(word.repeat(1 + Math.floor(random() ** 6 * 1000))),
      bytes.subarray(at),
    ])
  },
]

export function mutate(bytes: Buffer, random: Random, others: readonly Buffer[]): Buffer {
  let changed = bytes
  for (let i = 0; i <= random() * 3; i++) changed = pick(random, CHANGES)(changed, random, others)
  return changed.subarray(0, MAX_BYTES)
}
