/**
 * ONNX Runtime's own optimized graphs, kept: optimizing is most of what loading a model costs, and each time the same.
 * They hold for one model, one release of ONNX Runtime, one provider and, since layouts follow it, one processor.
 */
import { hash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'
import type { ComponentName } from '../families/index.ts'
import type { ModelFolder } from './folder.ts'
import { findOnnxruntimeNode } from './onnxruntime-node.ts'
import type { ProviderName, ResolvedProvider } from './providers.ts'

/** Stands in a folder whose graphs are all there. */
export const COMPLETE = 'complete.json'

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

/** Whether a UNet's or VAE's widest pictures have fewer channels than ONNX Runtime's blocks. */
export function hasNarrowLayers({ block_out_channels: channels }: ModelFolderConfig): boolean {
  return Array.isArray(channels) && Number(channels[0]) < 16
}

type ModelFolderConfig = ModelFolder['modelIndex']
