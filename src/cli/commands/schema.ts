/** `pregen schema`: the JSON Schema that editors check and complete cue sheets with. */
import { cueSheetJsonSchema } from '../../cue-sheet/json-schema.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'
import { printJson } from '../print.ts'

export async function schemaCommand(): Promise<ExitCode> {
  printJson(process.stdout, cueSheetJsonSchema(), 2)
  return EXIT.ok
}
