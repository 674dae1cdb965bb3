/** What parsing a sheet needs beside its bytes. */
export interface ParseSheetOptions {
  /** As the user gave it: shown in messages, and relative paths in the sheet start from its folder. */
  readonly file: string
  /** For `${NAME}` and PREGEN_VERSION_ID. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** `--version-id`: wins over the environment and the sheet. */
  readonly versionId?: string | undefined
  /** Models of the package: id → absolute folder. The first is the default of a sheet that declares none. */
  readonly embeddedModels?: Readonly<Record<string, string>> | undefined
  /** More units than this are a fault. Default 100,000. */
  readonly maxUnits?: number | undefined
}
