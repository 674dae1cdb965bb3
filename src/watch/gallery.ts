/** The page as static files beside the pictures of a version: gallery, grid and replay without a server. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { confine } from '../artifacts/confinement.ts'
import { writeFileDurably } from '../artifacts/durable-write.ts'

/** One file of the published page. */
export interface GalleryFile {
  readonly name: string
  readonly bytes: Uint8Array
  readonly contentType: string
  /** All of them: names stay, contents change with each release. */
  readonly cacheControl: 'no-cache'
}

/** In the order in which they are written and sent: the page itself comes after all that it asks for. */
export const GALLERY_FILES = [
  ['page.js', 'text/javascript; charset=utf-8'],
  ['page.css', 'text/css; charset=utf-8'],
  ['icon.svg', 'image/svg+xml'],
  ['player.js', 'text/javascript; charset=utf-8'],
  ['index.html', 'text/html; charset=utf-8'],
] as const

/**
 * The files to put beside a `manifest.json`; the same for every version.
 * @param pageFolder the built page, `dist/watch/page` of the package
 */
export async function readGallery(pageFolder: string): Promise<readonly GalleryFile[]> {
  return Promise.all(
    GALLERY_FILES.map(async ([name, contentType]) => {
      const bytes = await readFile(join(pageFolder, name))
      return {
        name,
        contentType,
        cacheControl: 'no-cache' as const,
        bytes: name === 'index.html' ? asStatic(bytes) : bytes,
      }
    }),
  )
}

const SERVED = 'data-home="served"'

/** Tells the page that there is no server to ask. */
function asStatic(html: Buffer): Uint8Array {
  const text = html.toString('utf8')
  if (!text.includes(SERVED)) throw new Error(`the built page does not say ${SERVED}`)
  return Buffer.from(text.replace(SERVED, 'data-home="static"'))
}

/**
 * Writes the page into a version's folder, each file whole or not at all, index.html last.
 * @param out the output folder, which nothing leaves
 * @returns the path of index.html
 * @throws PregenError `E_OUTPUT_SYMLINK` | `E_DISK_FULL` | `E_WRITE_FAILED`
 */
export async function writeGallery(
  out: string,
  versionFolder: string,
  files: readonly GalleryFile[],
): Promise<string> {
  const inside = confine(out)
  for (const { name, bytes } of files) await writeFileDurably(join(versionFolder, name), bytes, { inside })
  return join(versionFolder, 'index.html')
}
