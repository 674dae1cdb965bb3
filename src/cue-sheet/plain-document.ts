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
    keys: (path) => keysAt(data, path),
  }
}

function keysAt(data: unknown, path: SheetPath): readonly string[] {
  let value = data
  for (const part of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return []
    value = Reflect.get(value, part)
  }
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.keys(value) : []
}
