/** What a worker works with for as long as it lives: its folder, locked; its ledger; its engine. */
import { dirname, join } from 'node:path'
import pLimit, { type LimitFunction } from 'p-limit'
import { removeFolder } from '../artifacts/confined-folder.ts'
import { confine } from '../artifacts/confinement.ts'
import { sweepTemporaryFiles } from '../artifacts/durable-write.ts'
import { createStateLayout } from '../artifacts/layout.ts'
import { type Ledger, openLedger } from '../artifacts/ledger.ts'
import { openOrigin } from '../artifacts/origin.ts'
import { openOutputFolder } from '../artifacts/output-folder.ts'
import { chooseDevices } from '../engine/choose-devices.ts'
import { createEngine, type Engine } from '../engine/engine.ts'
import { inferenceEnvironment } from '../engine/inference-environment.ts'
import { createInjection, type Injection, type InjectionTable, writeHookOf } from '../engine/injection.ts'
import type { KnownProviders, RequestedProvider } from '../model/providers.ts'
import type { EmitRunEvent } from '../run/events.ts'
import { lockLost, lockOutput } from '../run/lock-output.ts'
import type { RunOptions } from '../run/options.ts'
import type { PrepareWarning } from '../run/prepared.ts'

export interface WorkSettings
  extends Pick<
    RunOptions,
    | ('env' | 'allowedVariables' | 'onVariable' | 'embeddedModels' | 'cacheDir' | 'stateDir' | 'trustSize')
    | ('outDir' | 'provider' | 'devices' | 'threads' | 'concurrency' | 'pageFolder' | 'allowPrivateUrls')
    | ('allowLocalEndpoint' | 'allowPrivateEndpoint' | 'onHash' | 'injection')
  > {
  /** The folder that paths of sheets lead below; null: a sheet's text, models of this machine, nothing else. */
  readonly sheetsFolder: string | null
  /** This machine's models, by the id that sheets have for them. */
  readonly modelPlaces: Readonly<Record<string, string>>
  /** The one bucket that sheets may name; undefined: any. */
  readonly bucket: string | undefined
}

export interface Workplace {
  readonly settings: WorkSettings
  readonly ledger: Ledger
  readonly engine: Engine
  readonly known: KnownProviders
  readonly injection: Injection
  readonly emit: EmitRunEvent
  /** Tells a warning once. */
  readonly warn: (warning: PrepareWarning) => void
  /** Aborted when another process has taken the folder over. */
  readonly lost: AbortSignal
  readonly stateFolder: string
  /** One film at a time: the next pictures are drawn meanwhile. */
  readonly filming: LimitFunction
  readonly close: () => Promise<void>
}

/** @throws PregenError `E_LOCKED`, `E_OUTPUT_FOLDER` and their kin */
export async function openWorkplace(settings: WorkSettings, emit: EmitRunEvent): Promise<Workplace> {
  const { env, cacheDir, devices, provider, injection: table, stateDir } = settings
  const outDir = await openOutputFolder(settings.outDir)
  const layout = createStateLayout(outDir)
  const injection = createInjection(table as InjectionTable)
  const onPoint = writeHookOf(injection)
  const lost = new AbortController()
  const lock = await lockOutput(layout.lockPath, { onLost: () => lost.abort(lockLost(outDir)), onPoint })
  const shown = new Set<string>()
  try {
    await sweepTemporaryFiles(outDir)
    removeFolder(confine(outDir), join(dirname(layout.lockPath), 'live'))
    const ledger = await openLedger(layout.ledgerPath, { onPoint, origin: openOrigin(stateDir) })
    const providers: ReadonlySet<RequestedProvider> = new Set([provider ?? 'auto'])
    const environment = await inferenceEnvironment({ env, cacheDir, providers })
    const { known } = environment
    const { ids } = await chooseDevices({ devices, providers, known, env: environment.env })
    const engine = createEngine({ ...environment, devices: ids, injection: table })
    return {
      settings: { ...settings, outDir },
      ...{ ledger, engine, injection, emit, known, lost: lost.signal },
      ...{ stateFolder: layout.folder, filming: pLimit(1) },
      warn({ code, message }) {
        if (!shown.has(message)) emit({ type: 'warning', code, message })
        shown.add(message)
      },
      async close() {
        try {
          await engine.close()
          await ledger.close()
        } finally {
          await lock.release()
        }
      },
    }
  } catch (error) {
    await lock.release()
    throw error
  }
}
