/** The JSON Schema of a sheet, for editors that check and complete while one types. */
import { z } from '../zod.ts'
import { sheetSchema } from './schema.ts'

/** Lets a `${NAME}` stand wherever a number or a yes/no is asked for. */
const VARIABLE = { type: 'string', pattern: '^\\$\\{[A-Za-z_][A-Za-z0-9_]*\\}$' }

type JsonSchema = Record<string, unknown>

/** JSON Schema, draft 2020-12, with a description on every key. */
export function cueSheetJsonSchema(): JsonSchema {
  const schema = z.toJSONSchema(sheetSchema, {
    target: 'draft-2020-12',
    io: 'input',
    override: ({ jsonSchema, path }) => {
      const { type } = jsonSchema
      if (path.at(-1) === 'propertyNames') return
      if (type === 'integer' || type === 'number' || type === 'boolean') allowVariable(jsonSchema)
    },
  })
  return { ...schema, title: 'pregen cue sheet' }
}

function allowVariable(schema: JsonSchema): void {
  const { description, ...rest } = schema
  for (const key of Object.keys(schema)) delete schema[key]
  if (description !== undefined) schema.description = description
  schema.anyOf = [rest, VARIABLE]
}
