/** Why a provider does not run, in one line: what ONNX Runtime throws is a C++ template, or says nothing. */
import { constants } from 'node:os'
import { messageOf } from '../errors.ts'

const MAX_LENGTH = 160

/** CUDA's own numbers, as far as they tell what to do. */
const CUDA_FAILURES: ReadonlyMap<string, string> = new Map([
  ['2', 'the card has no memory left'],
  ['35', 'the NVIDIA driver is missing, or too old for this CUDA'],
  ['100', 'the NVIDIA driver sees no card'],
  ['101', 'there is no card of this number'],
  ['209', 'the card is too old, or too new, for this build of the provider'],
  ['803', 'the NVIDIA driver and its libraries are of two versions: restart the machine'],
])

/**
 * @param library of the provider: asked for its own reason where ONNX Runtime keeps it to itself
 */
export function reasonOf(thrown: unknown, library: string | null): string {
  const message = messageOf(thrown)
  const missing = missingLibrary(message) ?? (library === null ? null : loadFailure(library))
  if (missing !== null) return missing
  const code = /CUDA failure (\d+)/.exec(message)?.[1]
  const known = code === undefined ? undefined : CUDA_FAILURES.get(code)
  if (known !== undefined) return known
  const reason = /CUDA failure \d+: ([^;\n]+)/.exec(message)?.[1]
  if (reason !== undefined) return `CUDA says "${reason.trim()}"`
  if (message.includes('Failed to load shared library')) return 'its library does not load'
  // A check that failed: its C++ comes first, its sentence last.
  const line = message.split('\n', 1)[0]!.split(' was false. ').at(-1)!.trim()
  return line.length > MAX_LENGTH ? `${line.slice(0, MAX_LENGTH)}…` : line
}

function missingLibrary(message: string): string | null {
  const end = message.indexOf(': cannot open shared object file')
  if (end < 0) return null
  const name = message.slice(0, end).split(/[\s/]/).at(-1)
  return `${name} is missing`
}

/** Lets the loader try: a provider's library is no module of Node's, so that it fails in any case, and says of what. */
function loadFailure(library: string): string | null {
  try {
    process.dlopen({ exports: {} }, library, constants.dlopen.RTLD_LAZY)
    return null
  } catch (thrown) {
    return missingLibrary(messageOf(thrown))
  }
}
