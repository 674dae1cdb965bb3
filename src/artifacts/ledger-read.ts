/** A ledger's bytes, line by line, in memory that no file decides the size of. */
import { constants } from 'node:fs'
import { errorCode, messageOf, PregenError } from '../errors.ts'
import { openFile } from './confined-files.ts'
import { confineState } from './confinement.ts'
import { applyLine, type LedgerState, parseLine } from './ledger-lines.ts'

export interface ReadState extends LedgerState {
  damagedLines: number
  lines: number
  /** Bytes up to the end of the last whole line. */
  wholeBytes: number
  totalBytes: number
  /** The file has another name somewhere: whoever holds that must not see it change. */
  isShared: boolean
}

const MAX_LEDGER_BYTES = 2 ** 31
/** A unit of a thousand steps takes a quarter of one. */
const MAX_LINE_BYTES = 16 * 1024 * 1024
const PIECE_BYTES = 1024 * 1024

/** @throws PregenError `E_OUTPUT_SYMLINK`, `E_OUTPUT_KIND`, `E_LEDGER_UNREADABLE` */
export async function readState(path: string): Promise<ReadState> {
  const state: ReadState = {
    units: new Map(),
    marks: new Map(),
    sent: new Map(),
    damagedLines: 0,
    lines: 0,
    wholeBytes: 0,
    totalBytes: 0,
    isShared: false,
  }
  try {
    const handle = await openFile(confineState(path), path, constants.O_RDONLY)
    try {
      const { size, nlink } = await handle.stat()
      if (size > MAX_LEDGER_BYTES) throw new Error(`it has ${size} bytes`)
      state.isShared = nlink > 1
      await readLines(handle, state)
    } finally {
      await handle.close()
    }
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return state
    if (error instanceof PregenError) throw error
    throw new PregenError('E_LEDGER_UNREADABLE', `cannot read ${path}: ${messageOf(error)}`, {
      help: 'Change its permissions, or remove it: everything is then made again.',
      cause: error,
    })
  }
  return state
}

async function readLines(handle: Awaited<ReturnType<typeof openFile>>, state: ReadState): Promise<void> {
  // The beginning of a line whose end is in a later piece; null: it is too long to be one of ours.
  let begun: Buffer[] | null = []
  let begunBytes = 0
  for (let at = 0; at <= MAX_LEDGER_BYTES; ) {
    const piece = Buffer.allocUnsafeSlow(PIECE_BYTES)
    const { bytesRead } = await handle.read(piece, 0, piece.length, at)
    if (bytesRead === 0) break
    const bytes = piece.subarray(0, bytesRead)
    let start = 0
    for (let end = bytes.indexOf(0x0a); end >= 0; end = bytes.indexOf(0x0a, start)) {
      const last = bytes.subarray(start, end)
      take(state, begun && (begun.length === 0 ? last : Buffer.concat([...begun, last])))
      begun = []
      begunBytes = 0
      start = end + 1
      state.wholeBytes = at + start
    }
    if (start < bytesRead) {
      begunBytes += bytesRead - start
      if (begunBytes > MAX_LINE_BYTES) begun = null
      begun?.push(bytes.subarray(start))
    }
    at += bytesRead
    state.totalBytes = at
  }
}

function take(state: ReadState, text: Buffer | null): void {
  state.lines += 1
  const line = text && parseLine(text.toString('utf8'))
  if (line) applyLine(state, line)
  else state.damagedLines += 1
}
