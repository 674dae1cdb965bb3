/** Ids become folder names and object keys, so they must be names on every file system and in every bucket. */

import { trimEndOf, trimOf } from '../trim.ts'

/** What a file name may have, less the longest ending that pregen adds to one: `_preview.png`. */
const MAX_ID_BYTES = 255 - '_preview.png'.length
/** S3's and R2's longest key, in UTF-8 bytes. */
export const MAX_KEY_BYTES = 1024

export interface IdFault {
  readonly code: 'E_BAD_ID' | 'E_ID_TOO_LONG' | 'E_ID_IS_FILE_NAME'
  readonly why: string
  readonly help: string
}

const WINDOWS_DEVICES = /^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\.|$)/i
const ASCII = /^[ -~]*$/
const WORD = /^[A-Za-z0-9_][\w-]{0,63}$/
const OUR_FILES = /^(\d+\.(png|webp)|final\.png|final\.thumb\.webp|timing\.json|manifest\.json)$/i

const RULES: readonly {
  readonly bad: (id: string) => boolean
  readonly why: string
  readonly help: string
}[] = [
  { bad: (id) => id === '', why: 'is empty', help: 'Give it a name.' },
  {
    bad: (id) => id === '.' || id === '..',
    why: 'stands for a folder, not for a name',
    help: 'Choose a name such as "wide".',
  },
  {
    bad: (id) => /[/\\]/.test(id),
    why: 'has a slash in it',
    help: 'An id is one folder name: use "-" instead.',
  },
  {
    bad: (id) => /\p{Cc}|\u2028|\u2029/u.test(id),
    why: 'has a control character in it',
    help: 'Type the id again: something invisible was pasted.',
  },
  {
    bad: (id) => /\p{Cf}|[\u115f\u1160\u3164\uffa0]/u.test(id),
    why: 'has an invisible character in it (zero-width or text direction)',
    help: 'Type the id again: something invisible was pasted.',
  },
  {
    bad: (id) => /\p{Cs}/u.test(id),
    why: 'has half of a character in it',
    help: 'Type the id again.',
  },
  {
    bad: (id) => /^[-.]/.test(id) && id !== '.' && id !== '..',
    why: 'begins with "-" or "."',
    help: 'Begin with a letter or a digit: command lines and listings treat such names specially.',
  },
  {
    bad: (id) => /^\s|[\s.]$/u.test(id) && id !== '.' && id !== '..',
    why: 'begins with a space, or ends with a space or a dot',
    help: 'Take it away: Windows drops it and the name would change.',
  },
  {
    bad: (id) => /[<>:"|?*]/.test(id),
    why: 'has one of < > : " | ? * in it',
    help: 'Windows allows none of them in a name: use letters, digits, "-" and "_".',
  },
  {
    bad: (id) => WINDOWS_DEVICES.test(id),
    why: 'is the name of a device on Windows',
    help: 'Choose another name.',
  },
]

/**
 * What is wrong with an id, one fault at most.
 * @param isFolder whether the id becomes a folder beside or above files that we write
 */
export function findIdFault(id: string, isFolder = true): IdFault | undefined {
  // Most ids are short words, which no rule but that of the devices can touch.
  if (WORD.test(id) && !WINDOWS_DEVICES.test(id)) return undefined
  const broken = RULES.find((rule) => rule.bad(id))
  if (broken) return { code: 'E_BAD_ID', why: broken.why, help: broken.help }
  const bytes = Buffer.byteLength(id)
  if (bytes > MAX_ID_BYTES) {
    return {
      code: 'E_ID_TOO_LONG',
      why: `is ${bytes} bytes long`,
      help: `A name may have ${MAX_ID_BYTES} bytes at most.`,
    }
  }
  if (isFolder && OUR_FILES.test(id)) {
    return {
      code: 'E_ID_IS_FILE_NAME',
      why: 'is the name of a file that pregen writes',
      help: 'Choose another name.',
    }
  }
  return undefined
}

/** Two ids with the same fold are one name on file systems that ignore case or normalise Unicode. */
export function foldId(id: string): string {
  if (ASCII.test(id)) return id.toLowerCase()
  // Lower case first: ẞ is the upper case of nothing that upper case gives.
  return id.normalize('NFC').toLowerCase().toUpperCase().toLowerCase().normalize('NFC')
}

/** `Golden hour!` → `golden-hour`; `4.5` → `4.5`: a matrix value as part of an id. Empty when nothing is left. */
export function slugOf(value: string | number | bigint | boolean): string {
  const words = String(value)
    .normalize('NFC')
    .toLowerCase()
    .replace(/[^\p{L}\p{M}\p{N}._]+/gu, '-')
  const trimmed = trimOf(words, '-.')
  return trimEndOf([...trimmed].slice(0, 64).join(''), '-.')
}
