/** Types and lists that the table of settings makes. */
import type { z } from '../zod.ts'
import type { SettingRow } from './setting-row.ts'
import { SETTINGS } from './settings.ts'

type Rows = typeof SETTINGS
export type SettingKey = keyof Rows
type Row = Rows[SettingKey]
export type SettingName = Row['name']

/** What a row's value is once it has been read. */
type ValueOf<R> = R extends { readonly read: (...args: never[]) => infer Value }
  ? Exclude<Value, undefined>
  : R extends { readonly schema: infer Schema extends z.ZodType }
    ? z.output<Schema>
    : never

/** Settings of one level, or merged over all levels. Absent = not set anywhere. */
export type Settings = {
  readonly [R in Row as R['name']]?: ValueOf<R> | undefined
}

type Told<Goes extends Row['goes']> = Extract<Row, { readonly goes: Goes }>
type Defaulted<R> = Extract<R, { readonly otherwise: unknown }>

/** A unit's settings that go one way, each resolved: those without a default may be absent. */
export type SettingsFor<Goes extends Row['goes']> = {
  readonly [R in Defaulted<Told<Goes>> as R['name']]: ValueOf<R>
} & {
  readonly [R in Exclude<Told<Goes>, Defaulted<Told<Goes>>> as R['name']]?: ValueOf<R> | undefined
}

/** What decides the conditioning. */
export type PromptSettings = SettingsFor<'prompt'>
/** What the denoiser is told beside the conditioning. */
export type PictureSettings = SettingsFor<'picture'>
export type FileSettings = SettingsFor<'files'>
/** Settings of the denoiser that pictures of one call need not share. */
export type OwnPictureSetting = Extract<Told<'picture'>, { readonly batch: 'own' }>['name']

export const SETTING_KEYS: readonly SettingKey[] = Object.keys(SETTINGS).filter(isSettingKey)

export function isSettingKey(key: string): key is SettingKey {
  return Object.hasOwn(SETTINGS, key)
}

export function rowOf(key: SettingKey): SettingRow & { readonly name: SettingName } {
  return SETTINGS[key]
}

/** Rows in the order of the table, one a name: what is deprecated is another key of a setting that has a row. */
export const SETTING_ROWS = SETTING_KEYS.map(rowOf).filter(({ deprecatedFor }) => deprecatedFor === undefined)

/** The part of a unit (or of anything with its settings) that goes one way. */
export function pickSettings<Goes extends SettingRow['goes']>(
  goes: Goes,
  from: SettingsFor<Goes>,
): SettingsFor<Goes> {
  const values: Readonly<Record<string, unknown>> = { ...from }
  const names = SETTING_ROWS.filter((row) => row.goes === goes).map(({ name }) => name)
  return Object.fromEntries(names.map((name) => [name, values[name]])) as SettingsFor<Goes>
}
