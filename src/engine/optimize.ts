/** Optimized graphs of a model, made in a process of its own, as it will be loaded. */
import type { OptimizedModel } from '../model/optimize.ts'
import type { InferenceProcedures, OptimizeOptions } from './inference-calls.ts'
import type { InferenceEnvironment } from './inference-environment.ts'
import { startWorkerProcess } from './worker-process.ts'

/** @throws WorkerError, PregenError `E_WORKER_DIED` */
export async function optimizeInProcess(
  options: OptimizeOptions,
  { env, known }: InferenceEnvironment,
): Promise<OptimizedModel> {
  const data = { injection: {}, toolPid: process.pid, known }
  const start = { module: './inference-process.js', label: 'optimizing', data, env }
  const worker = startWorkerProcess<InferenceProcedures>(start)
  try {
    return await worker.call('optimize', options)
  } finally {
    await worker.end()
  }
}
