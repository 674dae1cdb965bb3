/** What a key of scheduler_config.json may hold, and how a resolved config is read. */
import type { SchedulerConfig } from './scheduler.ts'

export type KeySpec = BooleanKey | NumberKey | ChoiceKey | NumbersKey | NullKey

interface BooleanKey {
  readonly kind: 'boolean'
  readonly fallback: boolean
}

interface NumberKey {
  readonly kind: 'number'
  /** null: the key may be null, which means "not given". */
  readonly fallback: number | null
  readonly integer?: boolean
  readonly min?: number
  readonly max?: number
  /** The value must be greater than this. */
  readonly above?: number
}

interface ChoiceKey {
  readonly kind: 'choice'
  readonly fallback: string | null
  readonly values: readonly string[]
  /** Values of sibling classes that this class reads as one of its own, as diffusers does. */
  readonly aliases?: Readonly<Record<string, string>>
  /** What null means, where a sibling class's config brings it along; absent: null is no value. */
  readonly ofNull?: string
}

interface NumbersKey {
  readonly kind: 'numbers'
  readonly fallback: null | readonly number[]
}

/** A key that diffusers has and that only null is supported for. */
interface NullKey {
  readonly kind: 'null'
  readonly fallback: null
}

export type KeySpecs = Readonly<Record<string, KeySpec>>

export type KeyReading = { readonly value: unknown } | { readonly expected: string }

/** The value as the scheduler will use it, or what it should have been. */
export function readKey(spec: KeySpec, value: unknown): KeyReading {
  switch (spec.kind) {
    case 'boolean':
      if (value === null) return { value: false }
      return typeof value === 'boolean' ? { value } : { expected: 'true or false' }
    case 'number':
      return readNumberKey(spec, value)
    case 'choice': {
      if (value === null && spec.fallback === null) return { value }
      if (value === null && spec.ofNull !== undefined) return { value: spec.ofNull }
      if (typeof value !== 'string') return { expected: `one of ${spec.values.join(', ')}` }
      const known = spec.aliases?.[value] ?? value
      return spec.values.includes(known) ? { value: known } : { expected: `one of ${spec.values.join(', ')}` }
    }
    case 'numbers': {
      if (value === null) return { value: spec.fallback }
      const numbers =
        Array.isArray(value) && value.every((item) => typeof item === 'number' && Number.isFinite(item))
      return numbers ? { value } : { expected: 'a list of numbers' }
    }
    case 'null':
      return value === null ? { value } : { expected: 'null' }
  }
}

function readNumberKey(spec: NumberKey, value: unknown): KeyReading {
  if (value === null && spec.fallback === null) return { value }
  const number = value === '-Infinity' || value === '-inf' ? Number.NEGATIVE_INFINITY : value
  const { min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY, above, integer = false } = spec
  const fits =
    typeof number === 'number' &&
    number >= min &&
    number <= max &&
    (above === undefined || number > above) &&
    (!integer || Number.isInteger(number))
  return fits ? { value: number } : { expected: describeNumber(spec) }
}

function describeNumber({ integer = false, min, max, above }: NumberKey): string {
  const noun = integer ? 'a whole number' : 'a number'
  if (above !== undefined) return `${noun} above ${above}${max === undefined ? '' : `, up to ${max}`}`
  if (min !== undefined && max !== undefined) return `${noun} from ${min} to ${max}`
  if (min !== undefined) return `${noun} of at least ${min}`
  return noun
}

/** Reads a key of a resolved config. @throws TypeError when the config was not resolved for this class */
export function booleanOf(config: SchedulerConfig, key: string): boolean {
  const value = config[key]
  if (typeof value !== 'boolean') throw unresolved(key, value)
  return value
}

/** Reads a key of a resolved config. @throws TypeError when the config was not resolved for this class */
export function numberOf(config: SchedulerConfig, key: string): number {
  const value = config[key]
  if (typeof value !== 'number') throw unresolved(key, value)
  return value
}

/** A number, or null where the key is absent or null. */
export function optionalNumberOf(config: SchedulerConfig, key: string): number | null {
  const value = config[key]
  return typeof value === 'number' ? value : null
}

/** Reads a key of a resolved config. @throws TypeError when the value is none of `values` */
export function choiceOf<T extends string>(config: SchedulerConfig, key: string, values: readonly T[]): T {
  const value = config[key]
  const choice = values.find((known) => known === value)
  if (choice === undefined) throw unresolved(key, value)
  return choice
}

/** A list of numbers, or null where there is none. */
export function numbersOf(config: SchedulerConfig, key: string): readonly number[] | null {
  const value = config[key]
  return Array.isArray(value) ? value : null
}

function unresolved(key: string, value: unknown): TypeError {
  return new TypeError(`the scheduler config was not resolved: ${key} is ${JSON.stringify(value)}`)
}
