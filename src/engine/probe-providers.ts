/** Tries providers one after the other, each in a process of its own: a driver that crashes ends only that. */
import { PROVIDER_NAMES, type ProviderStatus } from '../model/providers.ts'
import { isDeath } from './device.ts'
import type { InferenceProcedures } from './inference-calls.ts'
import type { InferenceEnvironment } from './inference-environment.ts'
import { startWorkerProcess } from './worker-process.ts'

export async function probeProviders({ env, known }: InferenceEnvironment): Promise<ProviderStatus[]> {
  const found: ProviderStatus[] = []
  for (const name of PROVIDER_NAMES) {
    const data = { injection: {}, toolPid: process.pid, known }
    const start = { module: './inference-process.js', label: name, data, env }
    const worker = startWorkerProcess<InferenceProcedures>(start)
    try {
      found.push(await worker.call('probe', { name, deviceId: 0 }))
    } catch (error) {
      if (!isDeath(error)) throw error
      found.push({ name, works: false, problem: error.message, help: 'Update the driver of the card.' })
    } finally {
      await worker.end()
    }
  }
  return found
}
