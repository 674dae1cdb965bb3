/** Makes the optimized graphs of a model and keeps them; where they lie and what they hold for: optimized.ts. */
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ModelFolder } from './folder.ts'
import { COMPLETE, hasNarrowLayers, optimizedFolder } from './optimized.ts'
import type { ResolvedProvider } from './providers.ts'
import { createModelSession, createRunMeter, OPTIMIZED_WEIGHTS } from './session.ts'

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

async function sizeOf(path: string): Promise<number> {
  return existsSync(path) ? (await stat(path)).size : 0
}
