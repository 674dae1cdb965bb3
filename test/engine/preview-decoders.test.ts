import { EventEmitter } from 'node:events'
import { describe, expect, it } from 'vitest'
import { createPreviewClient } from '../../src/engine/preview-decoders.ts'
import type { DecodeReply, DecodeRequest } from '../../src/engine/preview-process.ts'

/** A thread that answers when it is told to. */
class PlayedThread extends EventEmitter {
  readonly asked: DecodeRequest[] = []
  terminated = false
  unref(): void {}
  postMessage(request: DecodeRequest): void {
    this.asked.push(request)
  }
  answer(reply: Partial<DecodeReply> = {}): void {
    const { id, data, dims } = this.asked.at(-1)!
    this.emit('message', { id, data, dims, error: null, ...reply })
  }
  async terminate(): Promise<number> {
    this.terminated = true
    this.emit('exit', 1)
    return 1
  }
}

function createClient() {
  const threads: PlayedThread[] = []
  const start = () => {
    const thread = new PlayedThread()
    threads.push(thread)
    return thread
  }
  const client = createPreviewClient({ path: 'model.onnx', channels: 4 }, start)
  return { client, threads }
}

const LATENTS = { data: Float32Array.of(1, 2), dims: [1, 2] }

describe('the preview client', () => {
  it('starts one thread, at the first preview', async () => {
    const { client, threads } = createClient()
    expect(threads).toHaveLength(0)
    for (let preview = 0; preview < 2; preview++) {
      const decoded = client.decode(LATENTS)
      threads[0]?.answer()
      expect((await decoded).dims).toEqual([1, 2])
    }
    expect(threads).toHaveLength(1)
  })

  it('tells of a preview that failed inside, with its code', async () => {
    const { client, threads } = createClient()
    const decoded = client.decode(LATENTS)
    const error = {
      code: 'E_PREVIEW_SHAPE',
      message: 'no',
      help: undefined,
      stage: undefined,
      stack: undefined,
    }
    threads[0]?.answer({ error })
    await expect(decoded).rejects.toMatchObject({ code: 'E_PREVIEW_SHAPE', stage: 'preview' })
  })

  it('fails what a dead thread had in hand, and only that', async () => {
    const { client, threads } = createClient()
    const lost = client.decode(LATENTS)
    threads[0]?.emit('error', new Error('out of memory'))
    await expect(lost).rejects.toThrow('out of memory')
    const next = client.decode(LATENTS)
    // The end of the first thread is told after the second has begun.
    threads[0]?.emit('exit', 1)
    threads[1]?.answer()
    expect((await next).dims).toEqual([1, 2])
    expect(threads).toHaveLength(2)
  })

  it('leaves no preview waiting when it is closed', async () => {
    const { client, threads } = createClient()
    const waiting = client.decode(LATENTS)
    const settled = expect(waiting).rejects.toThrow('left with code 1')
    await client.close()
    await settled
    expect(threads[0]?.terminated).toBe(true)
  })
})
