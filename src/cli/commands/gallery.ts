/** `pregen gallery`: writes the static page beside the pictures. */
import { readPage, writePage } from '../../artifacts/page.ts'
import { PregenError } from '../../errors.ts'
import { pageFolder } from '../../library/package.ts'
import { outputFolderAbove, requireOutputFolder } from '../../tasks/existing-folder.ts'
import { findVersions, type OutputVersion } from '../../watch/versions.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'
import { printLine } from '../print.ts'

export interface GalleryFlags {
  readonly versionId?: string
}

/** @throws PregenError `E_OUTPUT_FOLDER`, or `E_NOTHING_TO_SHOW` where there is no manifest */
export async function galleryCommand(dir: string, flags: GalleryFlags): Promise<ExitCode> {
  const out = await requireOutputFolder(dir)
  const versions = await requireVersions(dir, out, flags.versionId)
  const files = await readPage(pageFolder)
  for (const { folder } of versions) printLine(process.stdout, await writePage(out, folder, files))
  return EXIT.ok
}

/**
 * The versions that a folder holds, or the one that is asked for.
 * @param dir as it was given
 * @throws PregenError `E_NOTHING_TO_SHOW` where there is no manifest
 */
export async function requireVersions(
  dir: string,
  out: string,
  versionId: string | undefined,
): Promise<readonly OutputVersion[]> {
  const all = await findVersions(out)
  const versions = all.filter(({ version }) => versionId === undefined || version === versionId)
  if (versions.length === 0) {
    const which = versionId === undefined ? 'a manifest.json' : `the version ${versionId}`
    throw new PregenError('E_NOTHING_TO_SHOW', `${dir} holds no pictures with ${which}.`, {
      help:
        all.length === 0 ? await whereTo(out) : `It holds ${all.map(({ version }) => version).join(', ')}.`,
    })
  }
  return versions
}

async function whereTo(out: string): Promise<string> {
  const above = await outputFolderAbove(out)
  if (above !== null) return `It lies in the output folder ${above}: name that, and --cue and --variant.`
  return 'Name the folder that a run wrote to with --out. Where its manifest.json is gone, run the sheet again.'
}
