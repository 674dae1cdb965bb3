/** What reading a level of settings needs beside its values. */
import type { SheetDocument } from './convert.ts'
import type { Faults } from './faults.ts'

export interface LayerContext {
  readonly doc: SheetDocument
  readonly faults: Faults
  /** Folder that relative paths start from. */
  readonly directory: string
  /** Whether a cue has lost settings to faults that are reported already: then nothing is said to be missing. */
  readonly isTainted: (cue: string) => boolean
}
