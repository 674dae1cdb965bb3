/** Drawing on the main thread with a worker that a test plays: what the real one does with models is not its matter. */
import { join } from 'node:path'
import { expect, onTestFinished } from 'vitest'
import { createLayout, type Layout } from '../../src/artifacts/layout.ts'
import { type Ledger, openLedger } from '../../src/artifacts/ledger.ts'
import { PregenError } from '../../src/errors.ts'
import { readModelFolder } from '../../src/model/folder.ts'
import type { Unit } from '../../src/plan/unit.ts'
import type { DrawContext } from '../../src/run/draw-context.ts'
import type { RunEventBody } from '../../src/run/events.ts'
import { createFaults, type FaultTable } from '../../src/run/faults.ts'
import { createInitImages } from '../../src/run/init-images.ts'
import type { Generated, Job, WorkerAnswer, WorkerRequest } from '../../src/run/messages.ts'
import type { RunOptions } from '../../src/run/options.ts'
import type { PreparedModel, PreparedUnit } from '../../src/run/prepared.ts'
import type { InferenceWorker } from '../../src/run/worker-client.ts'
import { SD_FACTS, unitOf } from '../plan/helpers.ts'
import { TINY_SD15 } from '../support/runs.ts'
import { temporaryFolder } from '../support/temp.ts'

export interface Drawing {
  readonly context: DrawContext
  readonly model: PreparedModel
  readonly units: readonly PreparedUnit[]
  readonly layout: Layout
  readonly ledger: Ledger
  readonly events: readonly RunEventBody[]
  /** What the worker was asked, in order. */
  readonly requests: readonly WorkerRequest[]
  readonly counts: { done: number; failed: number }
  readonly kill: () => void
}

export interface DrawingOptions {
  readonly units: readonly Partial<Unit>[]
  readonly options?: Partial<RunOptions>
  readonly faults?: FaultTable
  /** Plays `generate`; the default gives every picture. */
  readonly generate?: (jobs: readonly Job[], drawing: Drawing) => Promise<readonly Generated[]>
  /** Tokens of an encoded prompt; 77 each without it. */
  readonly tokensOf?: (prompt: string) => number
  /** Plays `load-denoiser`. */
  readonly loadDenoiser?: () => void
}

const SIDE = 8

export const optionsOf = (outDir: string, changes: Partial<RunOptions> = {}): RunOptions => ({
  sheetPath: 'cues.yaml',
  env: {},
  outDir,
  force: false,
  allowPrivateUrls: false,
  cacheDir: undefined,
  embeddedModels: {},
  dryRun: true,
  failFast: false,
  liveFile: false,
  verifyRemote: false,
  signal: new AbortController().signal,
  faults: {},
  ...changes,
})

/** A grey picture, in the time of its steps. */
export function pictureOf({ unit, steps }: Job): Generated {
  const image = { width: SIDE, height: SIDE, rgb: new Uint8Array(SIDE * SIDE * 3).fill(128) }
  return { unit, image, stepDurationsMs: new Array<number>(steps).fill(1), decodeMs: 1 }
}

export async function createDrawing(setup: DrawingOptions): Promise<Drawing> {
  const out = await temporaryFolder()
  const layout = createLayout({ out, root: 'foigoi', version: 'v1' })
  const ledger = await openLedger(join(out, '.pregen/ledger.ndjson'))
  onTestFinished(() => ledger.close())
  const options = optionsOf(out, setup.options)
  const events: RunEventBody[] = []
  const requests: WorkerRequest[] = []
  const counts = { done: 0, failed: 0 }
  const units = setup.units.map((changes, index): PreparedUnit => {
    const size = { width: SIDE, height: SIDE, steps: 2, executedSteps: 2, previews: null }
    const unit = unitOf({ ...size, variant: `v${index}`, seed: BigInt(index), ...changes })
    const key = layout.variantKey(unit.cue, unit.variant)
    return { unit, index, key, digest: `digest-${index}`, parts: {} }
  })
  const model: PreparedModel = {
    id: 'backdrop',
    folder: readModelFolder(TINY_SD15.path),
    facts: SD_FACTS,
    provider: undefined,
    pipeline: undefined,
    previewDecoder: undefined,
  }
  let stopped = false
  let death: PregenError | null = null
  const answer = async (request: WorkerRequest): Promise<WorkerAnswer> => {
    switch (request.type) {
      case 'open':
        return { type: 'open', provider: 'cpu' }
      case 'encode': {
        const told = { durationMs: 5, warnings: [], error: null }
        const tokensOf = setup.tokensOf ?? (() => 77)
        const prompts = request.prompts.map(({ key, request: { prompt } }) => ({
          ...told,
          key,
          tokens: tokensOf(prompt),
        }))
        return { type: 'encode', prompts }
      }
      case 'load-denoiser':
        setup.loadDenoiser?.()
        return { type: 'load-denoiser' }
      case 'generate': {
        const pictures = await (setup.generate?.(request.jobs, drawing) ?? request.jobs.map(pictureOf))
        return { type: 'generate', pictures }
      }
      case 'close':
        return { type: 'close' }
    }
  }
  const worker: InferenceWorker = {
    listen: () => undefined,
    async request(request) {
      if (death) throw death
      requests.push(request)
      const given = await answer(request)
      if (death) throw death
      if (!isAnswerTo(given, request)) throw new Error('another answer than asked for')
      return given
    },
    death: () => death,
    sessionRunMs: () => 0,
    previewFinished: () => {},
    stop: () => {},
    terminate: () => Promise.resolve(),
  }
  const context: DrawContext = {
    options,
    layout,
    ledger,
    worker,
    callbackOwed: false,
    emit: (event) => void events.push(event),
    faults: createFaults(setup.faults ?? {}),
    initImages: createInitImages(false),
    publicUrl: undefined,
    active: new Map(),
    settled: new Set(),
    previewClient: () => {
      throw new Error('no preview decoder here')
    },
    send: () => {},
    warn: (warning) => void events.push({ type: 'warning', ...warning }),
    isStopped: () => stopped,
    stop() {
      stopped = true
    },
    countDone: () => void counts.done++,
    countFailed: () => void counts.failed++,
    modelLoadMs: () => 0,
    addModelLoadMs: () => {},
    setProvider: () => {},
  }
  const kill = () => {
    death = new PregenError('E_WORKER_DIED', 'The inference worker ended: a test killed it.')
  }
  const drawing: Drawing = { context, model, units, layout, ledger, events, requests, counts, kill }
  return drawing
}

type AnswerOf<T extends WorkerRequest> = Extract<WorkerAnswer, { type: T['type'] }>

function isAnswerTo<T extends WorkerRequest>(answer: WorkerAnswer, { type }: T): answer is AnswerOf<T> {
  return answer.type === type
}

/** Events of one type. */
export function eventsOf<T extends RunEventBody['type']>(
  events: readonly RunEventBody[],
  type: T,
): Extract<RunEventBody, { type: T }>[] {
  return events.filter((event): event is Extract<RunEventBody, { type: T }> => event.type === type)
}

/** How many requests of each type the worker got. */
export function expectRequests(drawing: Drawing, expected: readonly WorkerRequest['type'][]): void {
  expect(drawing.requests.map(({ type }) => type)).toEqual(expected)
}
