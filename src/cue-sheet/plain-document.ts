/** A sheet in plain YAML as a document: its data at once, its places when a fault or a warning asks for one. */
import type { SheetDocument } from './convert.ts'
import { Faults, type SheetPath } from './faults.ts'
import { readPlainYaml } from './plain-yaml.ts'

/**
 * @param readFully reads the text with the library, for the places
 * @returns undefined where the text is not plain
 */
export function plainDocument(
  text: string,
  readFully: (faults: Faults) => SheetDocument | undefined,
): SheetDocument | undefined {
  const data = readPlainYaml(text)
  if (data === undefined) return undefined
  let full: SheetDocument | undefined
  const known = new WeakMap<object, readonly string[]>()
  const document = (): SheetDocument => {
    full ??= readFully(new Faults())
    if (full === undefined) throw new Error('a sheet in plain YAML is none for the library')
    return full
  }
  return {
    data,
    isBroken: false,
    locate: (path, at) => document().locate(path, at),
    written: (path) => document().written(path),
    keys: (path) => keysAt(data, path, known),
  }
}

function keysAt(
  data: unknown,
  path: SheetPath,
  known: WeakMap<object, readonly string[]>,
): readonly string[] {
  let value = data
  for (const part of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return []
    value = Reflect.get(value, part)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return []
  const keys = known.get(value) ?? Object.keys(value)
  known.set(value, keys)
  return keys
}
