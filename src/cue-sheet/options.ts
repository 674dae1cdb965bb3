import type { RowFile } from './row-file.ts'
import type { AllowedVariables } from './variables.ts'

/** What parsing a sheet needs beside its bytes. */
export interface ParseSheetOptions {
  /** As the user gave it: shown in messages, and relative paths in the sheet start from its folder. */
  readonly file: string
  /** For `${NAME}`, as far as it is allowed, and PREGEN_VERSION_ID. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** Names beside `PREGEN_*` that the sheet may read. Default: none. */
  readonly allowedVariables?: AllowedVariables | undefined
  /** Told of each variable whose value the sheet now holds and messages should not, for a last look at what is shown. */
  readonly onVariable?: ((name: string, value: string) => void) | undefined
  /** `--version-id`: wins over the environment and the sheet. */
  readonly versionId?: string | undefined
  /** Models of the package: id → absolute folder. The first is the default of a sheet that declares none. */
  readonly embeddedModels?: Readonly<Record<string, string>> | undefined
  /** More units than this are a fault. Default 100,000. */
  readonly maxUnits?: number | undefined
  /** Files that cues name as `rows`, by what the sheet calls them. */
  readonly rowFiles?: ReadonlyMap<string, RowFile> | undefined
  /** Leaves variables unread that `storage` and `callback` alone use: both then count as absent where one is not set. */
  readonly withoutTargets?: boolean | undefined
}
