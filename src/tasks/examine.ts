/** `pregen doctor`: what works on this machine, for this sheet, and what to do about the rest. Generates nothing. */
import { readCueSheet } from '../cue-sheet/read.ts'
import { inferenceEnvironment } from '../engine/inference-environment.ts'
import { probeProviders } from '../engine/probe-providers.ts'
import { messageOf, PregenError, PregenErrors } from '../errors.ts'
import { absentWords } from '../model/data-files.ts'
import { cardWords } from '../plan/memory.ts'
import { openBucket, policyOf } from '../run/open-bucket.ts'
import type { ReadSheetOptions } from '../run/options.ts'
import { placeOfModel } from '../run/place-model.ts'
import type { EndpointPolicy } from '../storage/s3-endpoint.ts'
import { inspectModel, type ModelReport } from './inspect-model.ts'

export interface Finding {
  readonly area: 'runtime' | 'provider' | 'model' | 'bucket'
  readonly name: string
  readonly works: boolean
  /** What was found, or what is wrong. */
  readonly detail: string
  /** What to do about it; null when it works. */
  readonly help: string | null
}

export interface ExamineOptions extends ReadSheetOptions, EndpointPolicy {
  /** Its models and bucket are looked at too; undefined: the embedded models. */
  readonly sheetPath: string | undefined
  /** Where providers are installed, and hashes of big files are kept. */
  readonly cacheDir: string | undefined
}

/** @throws PregenErrors when the sheet itself has faults */
export async function examineSheet(options: ExamineOptions): Promise<Finding[]> {
  const { sheetPath, ...how } = options
  const { embeddedModels } = how
  const sheet = sheetPath === undefined ? null : await readCueSheet(sheetPath, how)
  const findings: Finding[] = [runtimeFinding()]
  const environment = await inferenceEnvironment({ env: how.env, cacheDir: options.cacheDir })
  for (const { name, works, problem, help } of await probeProviders(environment)) {
    findings.push({ area: 'provider', name, works, detail: problem ?? 'a small model ran on it', help })
  }
  const folders = sheet
    ? Object.values(sheet.models).map(
        (model) => [model.id, () => placeOfModel(model, sheet, how.env)] as const,
      )
    : Object.entries(embeddedModels).map(([id, path]) => [id, () => path] as const)
  for (const [id, placeOf] of folders) findings.push(...(await modelFindings(id, placeOf, options.cacheDir)))
  if (sheet?.storage) {
    const { bucket, concurrency } = sheet.storage
    findings.push(
      ...(await bucketFindings(bucket, () =>
        openBucket(sheet.storage!, { concurrency, ...policyOf(options) }),
      )),
    )
  }
  return findings
}

function runtimeFinding(): Finding {
  const detail = `Node ${process.versions.node} on ${process.platform}-${process.arch}`
  return { area: 'runtime', name: 'node', works: true, detail, help: null }
}

async function modelFindings(
  id: string,
  placeOf: () => string,
  cacheDir: string | undefined,
): Promise<Finding[]> {
  try {
    const report = await inspectModel(placeOf(), { cacheDir })
    const { facts, previews, absent, unfused } = report
    const { width, height } = facts.defaults
    const detail = `${facts.family}, ${width}×${height}, previews: ${previews.join(', ')}${memoryWords(report)}${unfused ? `; ${unfused.problem} (pregen models inspect has the command)` : ''}`
    const found = { area: 'model', name: id } as const
    if (absent.length === 0) return [{ ...found, works: true, detail, help: null }]
    const help = 'Fetch or export them; the sizes are those that the model tells of.'
    return [{ ...found, works: false, detail: `${detail}; ${absentWords(absent, report.path)}`, help }]
  } catch (error) {
    return faultsOf(error).map((fault) => findingOf('model', id, fault))
  }
}

/** At the model's own size. */
function memoryWords({ memory }: ModelReport): string {
  if (memory === null) return ''
  const [cpu, gpu] = [memory.cpu, memory.gpu].map(({ peakBytes }) => (peakBytes / 1e9).toFixed(1))
  return `; about ${cpu} GB of memory on the CPU, ${gpu} GB on a GPU (${cardWords(memory.gpu)})`
}

async function bucketFindings(name: string, open: () => ReturnType<typeof openBucket>): Promise<Finding[]> {
  try {
    const storage = await open()
    try {
      const warnings = await storage.preflight()
      const detail = [`${storage.description} can be written`, ...warnings].join('; ')
      return [{ area: 'bucket', name, works: true, detail, help: null }]
    } finally {
      await storage.close()
    }
  } catch (error) {
    return faultsOf(error).map((fault) => findingOf('bucket', name, fault))
  }
}

function faultsOf(error: unknown): readonly PregenError[] {
  if (error instanceof PregenErrors) return error.errors
  if (error instanceof PregenError) return [error]
  throw error
}

function findingOf(area: Finding['area'], name: string, fault: PregenError): Finding {
  const where = fault.location ? `${fault.location.file}: ` : ''
  return {
    area,
    name,
    works: false,
    detail: `${where}${messageOf(fault)} [${fault.code}]`,
    help: fault.help ?? null,
  }
}
