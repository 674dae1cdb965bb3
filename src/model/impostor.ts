/** Files that only stand in for the real ones: what an unfinished checkout or a failed download leaves behind. */
import { PregenError } from '../errors.ts'

export type Impostor = 'git-lfs' | 'html' | 'empty'

/** @param head the file's first bytes (256 are enough) */
export function impostorOf(head: Uint8Array): Impostor | null {
  if (head.length === 0) return 'empty'
  const text = Buffer.from(head.buffer, head.byteOffset, Math.min(head.length, 256)).toString('latin1')
  if (text.startsWith('version https://git-lfs.github.com/spec/')) return 'git-lfs'
  if (/^(?:\xef\xbb\xbf)?\s*<(?:!doctype html|html|head|\?xml|!--)/i.test(text)) return 'html'
  return null
}

export function impostorFault(kind: Impostor, file: string): PregenError {
  const location = { file }
  switch (kind) {
    case 'git-lfs':
      return new PregenError(
        'E_MODEL_LFS_POINTER',
        'This is a Git LFS pointer, not the file it stands for.',
        {
          help: 'Run git lfs install, then git lfs pull, in the model folder.',
          location,
        },
      )
    case 'html':
      return new PregenError(
        'E_MODEL_HTML',
        'This is a web page, most likely an error or login page saved as a file.',
        {
          help: 'Download the file again; a gated model needs an account that has accepted its licence.',
          location,
        },
      )
    case 'empty':
      return new PregenError('E_MODEL_TRUNCATED', 'This file is empty.', {
        help: 'Download or export it again.',
        location,
      })
  }
}
