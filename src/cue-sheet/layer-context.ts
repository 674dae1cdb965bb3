/** What reading a level of settings needs beside its values. */
import type { SheetDocument } from './convert.ts'
import type { Faults } from './faults.ts'
import type { RowSource } from './row-file.ts'
import type { AllowedVariables } from './variables.ts'

export interface LayerContext {
  readonly doc: SheetDocument
  readonly faults: Faults
  readonly allowedVariables: AllowedVariables
  /** Characters that templates may still make; shared by all cues. */
  readonly budget: { characters: number }
  /** Rows of the cues that name a file of them. */
  readonly rows?: ReadonlyMap<string, RowSource>
  /** Folder that relative paths start from. */
  readonly directory: string
  /** Whether a cue has lost settings to faults that are reported already: then nothing is said to be missing. */
  readonly isTainted: (cue: string) => boolean
}
