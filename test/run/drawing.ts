/** Drawing with a device that a test plays: what the real one does with models is not its matter. */
import { join } from 'node:path'
import { expect, onTestFinished } from 'vitest'
import { createLayout, type Layout } from '../../src/artifacts/layout.ts'
import { type Ledger, openLedger } from '../../src/artifacts/ledger.ts'
import type { Device, OpenedModel } from '../../src/engine/device.ts'
import type {
  DrawnPicture,
  InferenceProcedures,
  PictureJob,
  PictureNotice,
} from '../../src/engine/inference-calls.ts'
import { createInjection, type InjectionTable } from '../../src/engine/injection.ts'
import type { StoredPrompt } from '../../src/engine/stored-prompt.ts'
import { PregenError } from '../../src/errors.ts'
import { readModelFolder } from '../../src/model/folder.ts'
import type { ProviderName, RequestedProvider } from '../../src/model/providers.ts'
import type { ModelFacts } from '../../src/plan/model-facts.ts'
import type { Unit } from '../../src/plan/unit.ts'
import { drawModel } from '../../src/run/draw-model.ts'
import type { Drawing as DrawingContext } from '../../src/run/drawing.ts'
import type { RunEventBody } from '../../src/run/events.ts'
import { createInitImages } from '../../src/run/init-images.ts'
import { createKeyframes } from '../../src/run/keyframes.ts'
import type { RunOptions } from '../../src/run/options.ts'
import type { PreparedModel, PreparedUnit } from '../../src/run/prepared.ts'
import { createReferences } from '../../src/run/reference-images.ts'
import { createSourceVideos } from '../../src/run/source-videos.ts'
import type { UnitServices } from '../../src/run/unit-life.ts'
import { SD_FACTS, unitOf } from '../plan/helpers.ts'
import { TINY_SD15 } from '../support/runs.ts'
import { temporaryFolder } from '../support/temp.ts'

type CallName = 'open' | keyof InferenceProcedures
export type Notify = (notice: PictureNotice) => void | Promise<void>

export interface Drawing {
  readonly context: DrawingContext
  readonly model: PreparedModel
  readonly units: readonly PreparedUnit[]
  readonly layout: Layout
  readonly ledger: Ledger
  readonly events: readonly RunEventBody[]
  /** What the devices were asked, in order. */
  readonly calls: readonly CallName[]
  /** Prompts that were encoded. */
  readonly prompts: readonly string[]
  /** Devices that were handed prompts, and which. */
  readonly adopted: readonly { readonly device: number; readonly keys: readonly string[] }[]
  readonly draw: (units?: readonly PreparedUnit[]) => Promise<void>
  /** Nothing more is begun from now on. */
  readonly drain: () => void
  /** The device's process dies now; `forGood`: and no other can be started. */
  readonly kill: (forGood?: boolean) => void
  readonly counts: () => { done: number; failed: number }
}

export interface DrawingOptions {
  readonly units: readonly Partial<Unit>[]
  readonly options?: Partial<RunOptions>
  readonly injection?: InjectionTable
  readonly devices?: number
  readonly facts?: ModelFacts
  /** Default `cpu`. */
  readonly provider?: ProviderName
  /** Plays `generate`; the default gives every picture. `notify` tells what the process would. */
  readonly generate?: (
    jobs: readonly PictureJob[],
    drawing: Drawing,
    notify: Notify,
    device: number,
  ) => Promise<readonly DrawnPicture[]>
  /** Tokens of an encoded prompt; 77 each without it. */
  readonly tokensOf?: (prompt: string) => number
  /** Plays the encoder of videos. */
  readonly openVideo?: UnitServices['openVideo']
  /** Plays `open`. @param requested the provider that is asked for */
  readonly open?: (device: number, requested: RequestedProvider) => ProviderName
  /** Plays `encode`, before its prompts are told. */
  readonly encode?: (device: number, drawing: Drawing) => void | Promise<void>
  /** Plays `load-denoiser`. */
  readonly loadDenoiser?: () => void
}

const SIDE = 8

/** A grey picture, in the time of its steps. */
export function pictureOf({ unit, steps }: PictureJob): DrawnPicture {
  const image = { width: SIDE, height: SIDE, rgb: new Uint8Array(SIDE * SIDE * 3).fill(128) }
  return { unit, image, stepDurationsMs: new Array<number>(steps).fill(1), decodeMs: 1 }
}

function storedIn(path: string): StoredPrompt {
  const place = { offset: 0, dims: [1, 1, 1] }
  const tensors = {
    ...{ promptEmbeds: place, pooledPromptEmbeds: null },
    ...{ negativePromptEmbeds: null, negativePooledPromptEmbeds: null },
  }
  return { path, tensors, rest: { half: false, warnings: [] } }
}

/** What a process tells when it takes pictures up. */
export function begin(jobs: readonly PictureJob[], notify: Notify): void {
  for (const { unit } of jobs) void notify({ type: 'started', unit })
}

export async function createDrawing(setup: DrawingOptions): Promise<Drawing> {
  const out = await temporaryFolder()
  const layout = createLayout({ out, root: 'foigoi', version: 'v1' })
  const ledger = await openLedger(join(out, '.pregen/ledger.ndjson'))
  onTestFinished(() => ledger.close())
  const events: RunEventBody[] = []
  const calls: CallName[] = []
  const prompts: string[] = []
  const adopted: { device: number; keys: string[] }[] = []
  const units = setup.units.map((changes, index): PreparedUnit => {
    const size = { width: SIDE, height: SIDE, steps: 2, executedSteps: 2, previews: null }
    const unit = unitOf({ ...size, variant: `v${index}`, seed: BigInt(index), ...changes })
    const key = layout.variantKey(unit.cue, unit.variant)
    return { unit, index, key, digest: String(index).padStart(64, '0'), parts: {} }
  })
  const model: PreparedModel = {
    id: 'backdrop',
    folder: readModelFolder(TINY_SD15.path),
    facts: setup.facts ?? SD_FACTS,
    provider: undefined,
    pipeline: undefined,
    previewDecoder: undefined,
  }
  const failing = new AbortController()
  const draining = new AbortController()
  let isGone = false
  let processes: { death: PregenError | null }[] = []

  const playedDevice = (index: number): Device => ({
    index,
    warmUp: () => undefined,
    async open(request): Promise<OpenedModel> {
      calls.push('open')
      if (isGone) throw deathOf()
      const provider = setup.open?.(index, request.provider) ?? setup.provider ?? 'cpu'
      const own: { death: PregenError | null } = { death: null }
      processes.push(own)
      let inHand: Promise<unknown> = Promise.resolve()
      const answer = async <T>(name: CallName, give: () => T | Promise<T>): Promise<T> => {
        if (own.death) throw own.death
        calls.push(name)
        const given = await give()
        if (own.death) throw own.death
        return given
      }
      return {
        provider,
        passedOver: [],
        device: `cpu:${index}`,
        death: () => own.death,
        close: async () => void (own.death ?? (await answer('close', () => null))),
        call: (name, input, options) =>
          answer(name, async () => {
            const played: { -readonly [Name in keyof InferenceProcedures]?: unknown } = {}
            if (name === 'encode' && 'keepEncoders' in input) {
              await setup.encode?.(index, drawing)
              prompts.push(...input.prompts.map(({ request }) => request.prompt))
              const encoded = { durationMs: 5, warnings: [], error: null }
              const tokensOf = setup.tokensOf ?? (() => 77)
              const done = input.prompts.map(({ key, request: { prompt } }) => ({
                ...encoded,
                key,
                tokens: tokensOf(prompt),
                ...(input.storeIn !== undefined && { stored: storedIn(input.storeIn) }),
              }))
              played.encode = { loadMs: 7, prompts: done }
            } else if (name === 'adopt' && 'prompts' in input) {
              adopted.push({ device: index, keys: input.prompts.map(({ key }) => key) })
              played.adopt = null
            } else if (name === 'load-denoiser') {
              setup.loadDenoiser?.()
              played['load-denoiser'] = { loadMs: 11 }
            } else if (name === 'generate' && 'jobs' in input) {
              const notify: Notify = (notice) => options?.onNotice?.(notice as never)
              const { jobs } = input
              const play = async (): Promise<readonly DrawnPicture[]> => {
                if (options?.signal?.aborted) throw new PregenError('E_CANCELLED', 'not begun')
                if (!setup.generate) begin(jobs, notify)
                return (await setup.generate?.(jobs, drawing, notify, index)) ?? jobs.map(pictureOf)
              }
              // One picture after the other, as the process does it.
              const drawn = inHand.then(play)
              inHand = drawn.catch(() => undefined)
              played.generate = { pictures: await drawn }
            }
            return played[name] as InferenceProcedures[typeof name]['output']
          }),
      }
    },
    mayRestart: () => !isGone,
    resetDeaths: () => undefined,
    figures: () => ({ sessionRunMs: 0, peakRssBytes: 0 }),
    end: () => Promise.resolve(),
  })

  const emit = (event: RunEventBody): void => {
    events.push(event)
    if (event.type === 'unit-failed' && setup.options?.failFast === true) failing.abort()
  }
  const context: DrawingContext = {
    devices: Array.from({ length: setup.devices ?? 1 }, (_, index) => playedDevice(index)),
    options: (({ batch, devices, provider }) => ({ batch, devices, provider }))(setup.options ?? {}),
    cardMemoryMib: null,
    stopping: failing.signal,
    ending: AbortSignal.any([failing.signal, draining.signal]),
    noteModelLoad: () => undefined,
    services: {
      layout,
      ledger,
      emit,
      warn: (warning) => emit({ type: 'warning', ...warning }),
      injection: createInjection(setup.injection ?? {}),
      initImages: createInitImages(false),
      references: createReferences(false),
      keyframes: createKeyframes(false),
      sourceVideos: createSourceVideos(layout.state.folder),
      openVideo: setup.openVideo ?? (() => Promise.reject(new Error('no video here'))),
      delivery: { owesCalls: false, deliver: () => Promise.resolve(true) },
      previewDecoder: () => {
        throw new Error('no preview decoder here')
      },
      publicUrl: undefined,
      liveFile: setup.options?.liveFile === true,
    },
  }
  const drawing: Drawing = {
    ...{ context, model, units, layout, ledger, events, calls, prompts, adopted },
    draw: (some = units) => drawModel(context, model, some),
    drain: () => draining.abort(),
    kill(forGood = false) {
      isGone = forGood
      for (const own of processes) own.death ??= deathOf()
      processes = []
    },
    counts: () => ({
      done: eventsOf(events, 'unit-finished').length,
      failed: eventsOf(events, 'unit-failed').length,
    }),
  }
  return drawing
}

function deathOf(): PregenError {
  return new PregenError('E_WORKER_DIED', 'The inference process ended: a test killed it.')
}

/** Events of one type. */
export function eventsOf<T extends RunEventBody['type']>(
  events: readonly RunEventBody[],
  type: T,
): Extract<RunEventBody, { type: T }>[] {
  return events.filter((event): event is Extract<RunEventBody, { type: T }> => event.type === type)
}

/** What the devices were asked, by name. */
export function expectCalls({ calls }: Drawing, expected: readonly CallName[]): void {
  expect(calls).toEqual(expected)
}
