/** A parsed sheet: every reference checked, every variant listed, every setting merged. Plain data but `locate`. */
import type { LocateFault, SourceLocation } from '../errors.ts'
import type { FamilyName } from '../families/index.ts'
import type { SheetPath, SheetWarning } from './faults.ts'
import type { Settings } from './setting-types.ts'

export interface SheetModel {
  readonly id: string
  /** Absolute folder; "" for a model of the hub. */
  readonly path: string
  /** `owner/name@revision`, as written: found in the hub's cache, and checked, before anything is planned. */
  readonly hub: string | undefined
  /** Whether it is a model of the package and not one that the sheet declares. */
  readonly embedded: boolean
  readonly provider: 'auto' | 'cpu' | 'cuda' | 'webgpu' | 'dml' | 'coreml' | undefined
  readonly pipeline: FamilyName | undefined
  /** `fp16`: `model_fp16.onnx` or `model.fp16.onnx` where a component has one. */
  readonly variant?: string | undefined
  /** Absolute folder of a tiny decoder for previews. */
  readonly previewDecoder: string | undefined
  /** The fingerprint that the folder must have, lower-case hex. */
  readonly sha256: string | undefined
}

/** Where each merged setting was last set: the path of its value in the sheet. */
export type SettingOrigins = Readonly<Record<string, SheetPath>>

export interface SheetVariant {
  readonly id: string
  /** The variant itself: its key, its seed in `seeds`, or its cue's `matrix`. */
  readonly path: SheetPath
  /** Of a matrix's variants: its keys with their values as text, in the order of the sheet. */
  readonly axes?: Readonly<Record<string, string>> | undefined
  /** defaults < program < cue < variant or matrix cell. The prompt has been through its template. */
  readonly settings: Settings
  readonly origins: SettingOrigins
}

export interface SheetCue {
  readonly id: string
  readonly program: string
  readonly variants: readonly SheetVariant[]
}

export interface SheetStorage {
  readonly bucket: string
  readonly endpoint: string | undefined
  readonly region: string | undefined
  /** Without slashes at its ends; "" for none. */
  readonly prefix: string
  readonly concurrency: number
  /** Without a slash at its end. */
  readonly publicUrl: string | undefined
  readonly forcePathStyle: boolean | undefined
}

export interface SheetCallback {
  readonly url: string
  readonly on: 'run' | 'unit'
  /** Name of the environment variable with the signing secret. */
  readonly secretEnv: string
  readonly jobId: string | undefined
  /** Where its URL stands. */
  readonly locate: LocateFault
}

export interface CueSheet {
  /** As the user gave it. */
  readonly file: string
  readonly version: string
  /** First folder of the output and of every key: one or more segments joined by "/". */
  readonly root: string
  /** Models that some variant uses, the embedded one included, by id. */
  readonly models: Readonly<Record<string, SheetModel>>
  readonly cues: readonly SheetCue[]
  readonly storage: SheetStorage | null
  /** Whether the page stands beside the manifest. */
  readonly gallery: boolean
  readonly callback: SheetCallback | null
  readonly warnings: readonly SheetWarning[]
  /** Place of a path of the sheet, for faults that only planning can see. */
  readonly locate: (path: SheetPath, at?: 'key' | 'value') => SourceLocation
  /** The value at a path as the sheet has it, variables not filled in; undefined: none, or a list or map. */
  readonly written: (path: SheetPath) => string | undefined
}
