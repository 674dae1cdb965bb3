/** `pregen film`: films of how the pictures of an output folder formed. */
import { join, relative, resolve, sep } from 'node:path'
import { MANIFEST_BYTES, readFileInside } from '../artifacts/confined-files.ts'
import { type Confinement, confine } from '../artifacts/confinement.ts'
import { FILMS_FOLDER, MANIFEST_NAME } from '../artifacts/file-names.ts'
import { createStateLayout, pathOfKey } from '../artifacts/layout.ts'
import { type ManifestAsset, parseManifest } from '../artifacts/manifest.ts'
import { openOutputFolder } from '../artifacts/output-folder.ts'
import { PregenError } from '../errors.ts'
import type { FilmOptions } from '../films/film-options.ts'
import { readVariantPictures, type VariantPictures } from '../films/variant-pictures.ts'
import { filmFault, type WrittenFilm, writeFilm } from '../films/write-film.ts'
import { type Selection, selectUnits } from '../plan/select.ts'
import { lockOutput } from '../run/lock-output.ts'

export interface FilmedVersion {
  readonly version: string
  /** Key prefix, such as `foigoi/demo`. */
  readonly prefix: string
}

export interface FilmTreeOptions extends FilmOptions {
  /** The output folder. */
  readonly out: string
  readonly versions: readonly FilmedVersion[]
  readonly selection: Selection
  /** One film a cue, its variants side by side. */
  readonly isGrid: boolean
  /** Where films go; undefined: `<out>/films`. */
  readonly to: string | undefined
  readonly signal: AbortSignal
  readonly on: {
    readonly film: (film: WrittenFilm) => void
    /** A variant without step pictures. */
    readonly passed: (cue: string, variant: string) => void
    /** A film that could not be made; the others are. */
    readonly failed: (cue: string, variant: string | null, error: PregenError) => void
  }
}

export interface FilmTreeResult {
  readonly films: number
  readonly failed: number
}

/**
 * @throws PregenError `E_NO_ENCODER`, `E_FILM_FORMAT`, `E_NOTHING_SELECTED`, `E_NOTHING_TO_SHOW`, `E_MANIFEST_INVALID`,
 *   `E_LOCKED`, `E_OUTPUT_FOLDER`
 */
export async function filmTree(options: FilmTreeOptions): Promise<FilmTreeResult> {
  const fault = await filmFault(options, options.isGrid)
  if (fault) throw fault
  const inside = confine(options.out)
  const takes = selectUnits(
    (await Promise.all(options.versions.map((one) => takesOf(inside, one)))).flat(),
    options.selection,
  )
  const root = await openOutputFolder(
    options.to ?? join(options.out, FILMS_FOLDER),
    options.to === undefined ? undefined : '--to',
  )
  // A run on the folder would take an unfinished film for what a killed run left, and remove it.
  const lock = isBelow(options.out, root) ? await lockOutput(createStateLayout(options.out).lockPath) : null
  try {
    return await filmAll(options, { inside, root, takes })
  } finally {
    await lock?.release()
  }
}

/** A variant to be filmed. */
interface Take {
  readonly version: string
  readonly prefix: string
  readonly cue: string
  readonly variant: string
  readonly program: string
}

async function takesOf(inside: Confinement, { version, prefix }: FilmedVersion): Promise<Take[]> {
  const path = join(pathOfKey(inside.out, prefix), MANIFEST_NAME)
  const { bytes } = await readFileInside(inside, path, MANIFEST_BYTES)
  const { assets } = parseManifest(bytes.toString('utf8'), path)
  return assets.map(({ cue, variant, program }: ManifestAsset) => ({
    version,
    prefix,
    cue,
    variant,
    program,
  }))
}

interface Studio {
  readonly inside: Confinement
  readonly root: string
  readonly takes: readonly Take[]
}

async function filmAll(options: FilmTreeOptions, { inside, root, takes }: Studio): Promise<FilmTreeResult> {
  const { on, signal } = options
  let films = 0
  let failed = 0
  for (const scene of options.isGrid ? byCue(takes) : takes.map((take) => [take])) {
    signal.throwIfAborted()
    const [{ version, cue, variant }] = scene as [Take]
    try {
      const variants: VariantPictures[] = []
      for (const take of scene) {
        const pictures = await readVariantPictures(inside, folderOf(inside, take))
        if (pictures) variants.push(pictures)
        else on.passed(take.cue, take.variant)
      }
      if (variants.length === 0) continue
      const name = options.isGrid ? cue : `${cue}/${variant}`
      const path = pathOfKey(root, `${version}/${name}`)
      on.film(await writeFilm({ ...options, variants, root, path, signal }))
      films += 1
    } catch (error) {
      if (!(error instanceof PregenError) || signal.aborted) throw error
      failed += 1
      on.failed(cue, options.isGrid ? null : variant, error)
    }
  }
  if (films + failed > 0) return { films, failed }
  throw new PregenError('E_NOTHING_TO_SHOW', 'None of these variants has step pictures to make a film of.', {
    help: 'Run the sheet with `previews` on: the program P0 has them off.',
  })
}

function folderOf({ out }: Confinement, { prefix, cue, variant }: Take): string {
  return pathOfKey(out, `${prefix}/cues/${cue}/${variant}`)
}

function byCue(takes: readonly Take[]): Take[][] {
  const scenes = new Map<string, Take[]>()
  for (const take of takes) {
    const key = `${take.prefix}/${take.cue}`
    scenes.set(key, [...(scenes.get(key) ?? []), take])
  }
  return [...scenes.values()]
}

function isBelow(folder: string, path: string): boolean {
  const way = relative(resolve(folder), resolve(path))
  return way === '' || (way.split(sep, 1)[0] !== '..' && resolve(folder, way) === resolve(path))
}
