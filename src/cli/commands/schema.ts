/** `pregen schema`: the JSON Schema that editors check and complete cue sheets with. */
import { cueSheetJsonSchema } from '../../cue-sheet/json-schema.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'

export async function schemaCommand(): Promise<ExitCode> {
  process.stdout.write(`${JSON.stringify(cueSheetJsonSchema(), null, 2)}\n`)
  return EXIT.ok
}
