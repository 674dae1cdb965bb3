/** The NVIDIA driver and cards of this machine, as `nvidia-smi` tells them. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { errorCode } from '../errors.ts'

export interface CudaCard {
  readonly name: string
  /** Such as `9.0`. */
  readonly computeCapability: string
  /** MiB. */
  readonly memoryMib: number
}

export interface CudaMachine {
  /** Such as `580.95.05`. */
  readonly driver: string
  readonly cards: readonly CudaCard[]
}

const QUERY = '--query-gpu=driver_version,compute_cap,memory.total,name'
const NVIDIA_SMI_TIMEOUT_MS = 20_000

/**
 * Asks the driver.
 * @returns null where there is no driver, or it sees no card; `problem` says which
 */
export async function inspectMachine(
  command = 'nvidia-smi',
): Promise<
  | { readonly machine: CudaMachine; readonly problem: null }
  | { readonly machine: null; readonly problem: string }
> {
  let stdout: string
  try {
    const options = { timeout: NVIDIA_SMI_TIMEOUT_MS, encoding: 'utf8' } as const
    stdout = (await promisify(execFile)(command, [QUERY, '--format=csv,noheader,nounits'], options)).stdout
  } catch (error) {
    if (errorCode(error) === 'ENOENT')
      return { machine: null, problem: 'no NVIDIA driver is installed (there is no nvidia-smi)' }
    return { machine: null, problem: `the NVIDIA driver does not answer: ${firstLine(error)}` }
  }
  const rows = stdout.split('\n').filter((line) => line.trim() !== '')
  const cards = rows.flatMap((row): (CudaCard & { driver: string })[] => {
    const [driver, computeCapability, memory, ...name] = row.split(',').map((cell) => cell.trim())
    if (driver === undefined || computeCapability === undefined || memory === undefined) return []
    return [{ driver, computeCapability, memoryMib: Number(memory), name: name.join(', ') }]
  })
  const [first] = cards
  if (first === undefined) return { machine: null, problem: 'the NVIDIA driver sees no card' }
  const plain = cards.map(({ name, computeCapability, memoryMib }) => ({
    name,
    computeCapability,
    memoryMib,
  }))
  return { machine: { driver: first.driver, cards: plain }, problem: null }
}

function firstLine(error: unknown): string {
  const output = error instanceof Error && 'stdout' in error ? String(error.stdout) : ''
  const text = output.trim() || (error instanceof Error ? error.message : String(error))
  return text.split('\n', 1)[0]!.trim()
}
