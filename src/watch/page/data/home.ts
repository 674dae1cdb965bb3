/**
 * Where the page lives: beside the pictures of one version (a bucket, any static server), or on `pregen serve`,
 * which knows all versions and the runs at work. Addresses are relative to the page, so both work under a prefix.
 */

import { isRecord } from '../../player/timeline.ts'
import { fetchJson, fetchJsonIfThere } from './fetch-json.ts'
import { readShow, type Show, stringOrNull } from './show.ts'

export interface VersionRef {
  readonly id: string
  /** Key prefix of what is published: `foigoi/demo`. */
  readonly prefix: string
}

export interface UnitRef {
  readonly cue: string
  readonly variant: string
}

/** What there is to look at. */
export interface Overview {
  /** The newest first. Beside the pictures: that one version. */
  readonly versions: readonly VersionRef[]
  /** Whether the server knows of a queue that machines share. */
  readonly hasQueue: boolean
}

export interface Home {
  readonly kind: 'static' | 'served'
  overview(): Promise<Overview>
  /** null: there is none yet. */
  show(version: VersionRef): Promise<Show | null>
  /** Folder of a variant, with a slash at its end; absolute. */
  folderUrl(version: VersionRef, unit: UnitRef): string
  /** An address of the API; absolute. */
  apiUrl(path: string): string
}

/** As `<html data-home>` says, which `pregen gallery` sets. */
export function findHome(): Home {
  return document.documentElement.dataset.home === 'static' ? createStaticHome() : createServedHome()
}

const absolute = (path: string) => new URL(path, document.baseURI).href

const folderOf = ({ cue, variant }: UnitRef) =>
  `cues/${encodeURIComponent(cue)}/${encodeURIComponent(variant)}/`

function createStaticHome(): Home {
  return {
    kind: 'static',
    overview: () => Promise.resolve({ versions: [{ id: '', prefix: '' }], hasQueue: false }),
    show: async () => {
      const value = await fetchJsonIfThere(absolute('manifest.json'))
      return value === null ? null : readShow(value)
    },
    folderUrl: (_version, unit) => absolute(folderOf(unit)),
    apiUrl: (path) => {
      throw new Error(`there is no server to ask for ${path}`)
    },
  }
}

function createServedHome(): Home {
  const filesOf = ({ prefix }: VersionRef) => `files/${prefix.split('/').map(encodeURIComponent).join('/')}/`
  return {
    kind: 'served',
    overview: async () => readOverview(await fetchJson(absolute('api/versions'))),
    show: async (version) => {
      const value = await fetchJsonIfThere(absolute(`${filesOf(version)}manifest.json`))
      return value === null ? null : readShow(value)
    },
    folderUrl: (version, unit) => absolute(filesOf(version) + folderOf(unit)),
    apiUrl: (path) => absolute(`api/${path}`),
  }
}

/** Of `GET /api/versions`: `{ versions: [{ version, prefix }], queue }`. */
function readOverview(value: unknown): Overview {
  const list = isRecord(value) && Array.isArray(value.versions) ? value.versions : []
  const versions = list.flatMap((entry: unknown) => {
    const [id, prefix] = isRecord(entry)
      ? [stringOrNull(entry.version), stringOrNull(entry.prefix)]
      : [null, null]
    return id === null || prefix === null ? [] : [{ id, prefix }]
  })
  return { versions, hasQueue: isRecord(value) && value.queue === true }
}

/** A file of a variant. @param mark put behind the address, against caches */
export function fileUrl(
  home: Home,
  version: VersionRef,
  unit: UnitRef & { mark?: string },
  name: string,
): string {
  return home.folderUrl(version, unit) + name + (unit.mark ? `?v=${unit.mark}` : '')
}
