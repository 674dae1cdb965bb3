import { describe, expect, it } from 'vitest'
import { createDecoderProcess } from '../../src/engine/preview-decoders.ts'
import { startWorkerProcess } from '../../src/engine/worker-process.ts'
import { PlayedChild } from './played-child.ts'

function createDecoder() {
  const children: PlayedChild[] = []
  const decoder = createDecoderProcess({ path: 'model.onnx', channels: 4 }, (data) =>
    startWorkerProcess({ module: './preview-process.js', label: 'preview', data, env: {} }, () => {
      const child = new PlayedChild()
      children.push(child)
      return child
    }),
  )
  return { decoder, children }
}

const PICTURES = [{ rgb: Uint8Array.of(1, 2, 3), width: 1, height: 1 }]
const LATENTS = { data: Float32Array.of(1, 2), dims: [1, 2] }

describe('a preview decoder', () => {
  it('starts ahead of the first preview where it is told to, once', async () => {
    const { decoder, children } = createDecoder()
    decoder.warmUp()
    decoder.warmUp()
    const decoded = decoder.decode(LATENTS)
    children[0]?.answer(PICTURES)
    expect(await decoded).toEqual(PICTURES)
    expect(children).toHaveLength(1)
  })

  it('starts one process, at the first preview', async () => {
    const { decoder, children } = createDecoder()
    expect(children).toHaveLength(0)
    for (let preview = 0; preview < 2; preview++) {
      const decoded = decoder.decode(LATENTS)
      children[0]?.answer(PICTURES)
      expect(await decoded).toEqual(PICTURES)
    }
    expect(children).toHaveLength(1)
    const data = { path: 'model.onnx', channels: 4 }
    expect(children[0]?.told[0]).toEqual({ kind: 'start', data, sideFile: null })
  })

  it('tells of a preview that failed inside, with its code', async () => {
    const { decoder, children } = createDecoder()
    const decoded = decoder.decode(LATENTS)
    const error = {
      code: 'E_PREVIEW_SHAPE',
      message: 'no',
      help: undefined,
      stage: undefined,
      stack: undefined,
    }
    const figures = { sessionRunMs: 0, peakRssBytes: 0 }
    children[0]?.emit('message', { kind: 'fault', id: 1, error, figures })
    await expect(decoded).rejects.toMatchObject({ code: 'E_PREVIEW_SHAPE' })
  })

  it('fails what a dead process had in hand, and only that', async () => {
    const { decoder, children } = createDecoder()
    const lost = decoder.decode(LATENTS)
    children[0]?.emit('error', new Error('out of memory'))
    await expect(lost).rejects.toThrow('out of memory')
    const next = decoder.decode(LATENTS)
    // The end of the first process is told after the second has begun.
    children[0]?.emit('exit', 1, null)
    children[1]?.answer(PICTURES)
    expect(await next).toEqual(PICTURES)
    expect(children).toHaveLength(2)
  })

  it('leaves no preview waiting when it is closed', async () => {
    const { decoder } = createDecoder()
    const waiting = decoder.decode(LATENTS)
    const settled = expect(waiting).rejects.toThrow('SIGKILL ended it')
    await decoder.close()
    await settled
  })
})
