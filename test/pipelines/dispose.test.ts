/** Sessions of a model that did not load to its end are freed like others. */
import { cp, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { InferenceSession } from 'onnxruntime-node'
import { afterEach, expect, it, vi } from 'vitest'
import { readModelFolder } from '../../src/model/folder.ts'
import { createPipeline } from '../../src/pipelines/create-pipeline.ts'
import { TINY_SD3, TINY_SD15 } from '../support/runs.ts'
import { temporaryFolder } from '../support/temp.ts'

const CPU = { name: 'cpu', deviceId: 0, reason: 'asked for' } as const

afterEach(() => void vi.restoreAllMocks())

/** Counts sessions that stand open. */
function watchSessions(): () => number {
  let open = 0
  const create: typeof InferenceSession.create = InferenceSession.create
  vi.spyOn(InferenceSession, 'create').mockImplementation(async (...args: unknown[]) => {
    const session: InferenceSession = await Reflect.apply(create, InferenceSession, args)
    open++
    const release = session.release.bind(session)
    session.release = async () => {
      open--
      await release()
    }
    return session
  })
  return () => open
}

async function brokenCopy(model: string, component: string) {
  const path = join(await temporaryFolder(), 'model')
  await cp(model, path, { recursive: true })
  await writeFile(join(path, component, 'model.onnx'), 'no model')
  return readModelFolder(path)
}

it('the denoiser goes when the VAE does not load', async () => {
  const open = watchSessions()
  const pipeline = createPipeline(await brokenCopy(TINY_SD15.path, 'vae_decoder'), { provider: CPU })
  await expect(pipeline.loadDenoiser()).rejects.toMatchObject({ code: 'E_MODEL_LOAD_FAILED' })
  expect(open()).toBe(1)
  await pipeline.dispose()
  expect(open()).toBe(0)
})

it('the first text encoders go when the third does not load', async () => {
  const open = watchSessions()
  const pipeline = createPipeline(await brokenCopy(TINY_SD3.path, 'text_encoder_3'), { provider: CPU })
  await expect(pipeline.loadTextEncoders()).rejects.toMatchObject({ code: 'E_MODEL_LOAD_FAILED' })
  expect(open()).toBe(2)
  await pipeline.dispose()
  expect(open()).toBe(0)
})
