/** Just enough of JSON Schema to hold a sheet against: the keywords that ours uses, and an error for any other. */

type Schema = Record<string, unknown>

const ANNOTATIONS = new Set([
  '$schema',
  'title',
  'description',
  'examples',
  'propertyNames',
  'format',
  '$defs',
])

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function typeMatches(type: unknown, value: unknown): boolean {
  if (type === 'object') return isMap(value)
  if (type === 'array') return Array.isArray(value)
  if (type === 'integer') return Number.isInteger(value)
  if (type === 'null') return value === null
  return typeof value === type
}

/** Paths of `value` that `schema` refuses, with the keyword that does. */
export function findSchemaFaults(schema: unknown, value: unknown, path = ''): string[] {
  if (schema === true) return []
  if (schema === false) return [`${path} forbidden`]
  if (!isMap(schema)) throw new Error(`no schema at ${path}`)
  return Object.keys(schema).flatMap((keyword) => checkKeyword(keyword, schema, value, path))
}

function checkKeyword(keyword: string, schema: Schema, value: unknown, path: string): string[] {
  const rule = schema[keyword]
  const refuse = (isSound: boolean) => (isSound ? [] : [`${path} ${keyword}`])
  const limit = Number(rule)
  switch (keyword) {
    case 'type':
      return refuse(typeMatches(rule, value))
    case 'enum':
      return refuse(Array.isArray(rule) && rule.includes(value))
    case 'const':
      return refuse(rule === value)
    case 'anyOf':
      return refuse(
        Array.isArray(rule) && rule.some((each) => findSchemaFaults(each, value, path).length === 0),
      )
    case 'minimum':
      return refuse(typeof value !== 'number' || value >= limit)
    case 'maximum':
      return refuse(typeof value !== 'number' || value <= limit)
    case 'multipleOf':
      return refuse(typeof value !== 'number' || value % limit === 0)
    case 'minLength':
      return refuse(typeof value !== 'string' || value.length >= limit)
    case 'maxLength':
      return refuse(typeof value !== 'string' || value.length <= limit)
    case 'pattern':
      return refuse(typeof value !== 'string' || new RegExp(String(rule), 'u').test(value))
    case 'minItems':
      return refuse(!Array.isArray(value) || value.length >= limit)
    case 'items':
      return Array.isArray(value)
        ? value.flatMap((item, i) => findSchemaFaults(rule, item, `${path}[${i}]`))
        : []
    case 'required':
      return isMap(value) && Array.isArray(rule)
        ? rule.flatMap((key) => (Object.hasOwn(value, key) ? [] : [`${path}.${key} required`]))
        : []
    case 'properties':
      return isMap(value) && isMap(rule)
        ? Object.entries(rule).flatMap(([key, each]) =>
            Object.hasOwn(value, key) ? findSchemaFaults(each, value[key], `${path}.${key}`) : [],
          )
        : []
    case 'additionalProperties': {
      const known = isMap(schema.properties) ? schema.properties : {}
      const others = isMap(value) ? Object.entries(value).filter(([key]) => !Object.hasOwn(known, key)) : []
      return others.flatMap(([key, each]) => findSchemaFaults(rule, each, `${path}.${key}`))
    }
    default:
      if (ANNOTATIONS.has(keyword)) return []
      throw new Error(`the keyword ${keyword} is not known to this test`)
  }
}
