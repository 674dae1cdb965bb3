/**
 * ONNX Runtime's own optimized graphs, kept: optimizing is most of what loading a model costs, and each time the same.
 * They hold for one model, one release of ONNX Runtime, one provider and, since layouts follow it, one processor.
 */
import { hash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { cpus } from 'node:os'
import { join } from 'node:path'
import type { ComponentName } from '../families/index.ts'
import type { ModelFolder } from './folder.ts'
import { findOnnxruntimeNode } from './onnxruntime-node.ts'
import type { ProviderName, ResolvedProvider } from './providers.ts'
import { createModelSession, createRunMeter, OPTIMIZED_WEIGHTS } from './session.ts'

const COMPLETE = 'complete.json'

/** @param root of one model: `<cache>/optimized/<fingerprint>` */
export function optimizedFolder(root: string, provider: ProviderName): string {
  const [processor] = cpus()
  const machine = hash('sha256', `${process.platform} ${process.arch} ${processor?.model ?? ''}`).slice(0, 12)
  return join(root, `${findOnnxruntimeNode().version}-${provider}-${machine}`)
}

export function optimizedRoot(cacheDir: string, fingerprint: string): string {
  return join(cacheDir, 'optimized', fingerprint)
}

/** The optimized graph of a component, or null where there is none for this provider on this machine. */
export function findOptimized(
  root: string | undefined,
  { name: provider }: ResolvedProvider,
  component: ComponentName,
): string | null {
  if (root === undefined) return null
  const folder = optimizedFolder(root, provider)
  const path = join(folder, component, 'model.onnx')
  return existsSync(join(folder, COMPLETE)) && existsSync(path) ? path : null
}

export interface OptimizedComponent {
  readonly name: string
  readonly sizeBytes: number
}

export interface OptimizedModel {
  readonly folder: string
  readonly components: readonly OptimizedComponent[]
}

/**
 * Loads every component once and keeps what ONNX Runtime made of it: whole or not at all.
 * @throws PregenError as `createModelSession`
 */
export async function optimizeModel(
  { components }: ModelFolder,
  root: string,
  provider: ResolvedProvider,
): Promise<OptimizedModel> {
  const folder = optimizedFolder(root, provider.name)
  await mkdir(root, { recursive: true })
  await sweepUnfinished(root)
  const fresh = await mkdtemp(join(root, UNFINISHED))
  try {
    const done: OptimizedComponent[] = []
    for (const { name, modelPath, config } of Object.values(components)) {
      if (!existsSync(modelPath)) continue
      await mkdir(join(fresh, name))
      const path = join(fresh, name, 'model.onnx')
      const session = await createModelSession(modelPath, {
        ...{ provider, meter: createRunMeter(), label: name, keepOptimized: path },
        blockedChannels: !hasNarrowLayers(config),
      })
      await session.dispose()
      done.push({
        name,
        sizeBytes: (await sizeOf(path)) + (await sizeOf(join(fresh, name, OPTIMIZED_WEIGHTS))),
      })
    }
    await writeFile(join(fresh, COMPLETE), `${JSON.stringify({ components: done })}\n`)
    await rm(folder, { recursive: true, force: true })
    await rename(fresh, folder)
    return { folder, components: done }
  } finally {
    await rm(fresh, { recursive: true, force: true })
  }
}

const UNFINISHED = '.new-'
/** No component takes so long. */
const ABANDONED_MS = 24 * 60 * 60 * 1000

/** What one left that was killed: as large as the model. */
async function sweepUnfinished(root: string): Promise<void> {
  for (const name of await readdir(root)) {
    if (!name.startsWith(UNFINISHED)) continue
    const path = join(root, name)
    if (Date.now() - (await stat(path)).mtimeMs > ABANDONED_MS)
      await rm(path, { recursive: true, force: true })
  }
}

/** Whether a UNet's or VAE's widest pictures have fewer channels than ONNX Runtime's blocks. */
export function hasNarrowLayers({ block_out_channels: channels }: ModelFolderConfig): boolean {
  return Array.isArray(channels) && Number(channels[0]) < 16
}

type ModelFolderConfig = ModelFolder['modelIndex']

async function sizeOf(path: string): Promise<number> {
  return existsSync(path) ? (await stat(path)).size : 0
}
