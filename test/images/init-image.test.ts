import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  checkInitImage,
  type InitImageRequest,
  inspectInitImage,
  loadInitImage,
} from '../../src/images/init-image.ts'
import { type LocalServer, startServer } from '../net/local-server.ts'
import { yardstickMs } from '../support/yardstick.ts'
import { fixtures, sha256 } from './goldens.ts'

const stage = join(fixtures, 'sources/rgb.png')
const stageBytes = readFileSync(stage)
const size = { width: 26, height: 18 }
const request = (source: string, more: Partial<InitImageRequest> = {}): InitImageRequest => ({
  source,
  ...size,
  ...more,
})

let folder: string
const put = (name: string, content: string | Buffer): string => {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'pregen-images-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

/** A fault is the same whether an image is checked or loaded. */
async function expectFault(faulty: InitImageRequest, fault: object): Promise<void> {
  await expect(checkInitImage(faulty)).rejects.toMatchObject(fault)
  await expect(loadInitImage(faulty)).rejects.toMatchObject(fault)
}

describe('a good image', () => {
  it('is inspected, checked and loaded', async () => {
    const facts = { format: 'png', ...size, sizeBytes: stageBytes.length, sha256: sha256(stageBytes) }
    expect(await inspectInitImage({ source: stage })).toEqual(facts)
    expect(await checkInitImage(request(stage))).toEqual(facts)
    const loaded = await loadInitImage(request(stage))
    expect(loaded).toMatchObject({ ...size, sha256: sha256(stageBytes) })
    expect(loaded.rgb).toHaveLength(26 * 18 * 3)
  })

  it('is brought to the size asked for', async () => {
    expect(await loadInitImage(request(stage, { width: 52, height: 36 }))).toMatchObject({
      width: 52,
      height: 36,
    })
    const square = request(stage, { width: 32, height: 32 })
    await expectFault(square, { code: 'E_IMAGE_ASPECT' })
    const cover = await loadInitImage({ ...square, fit: 'cover' })
    const contain = await loadInitImage({ ...square, fit: 'contain' })
    expect(cover).toMatchObject({ width: 32, height: 32 })
    expect(contain).toMatchObject({ width: 32, height: 32 })
    expect(cover.rgb).not.toEqual(contain.rgb)
  })

  it('counts as it is seen: the orientation is applied before the aspect is compared', async () => {
    const turned = request(join(fixtures, 'sources/orientation-6.png'), { width: 18, height: 26 })
    expect(await checkInitImage(turned)).toMatchObject({ width: 18, height: 26 })
    expect(await loadInitImage(turned)).toMatchObject({ width: 18, height: 26 })
  })
})

describe('bad files', () => {
  it('43: missing', async () => {
    const path = join(folder, 'nowhere.png')
    await expectFault(request(path), { code: 'E_IMAGE_MISSING', message: `There is no file "${path}".` })
    await expectFault(request(join(stage, 'below-a-file.png')), { code: 'E_IMAGE_MISSING' })
  })

  it('a folder', async () => {
    await expectFault(request(folder), { code: 'E_IMAGE_NOT_A_FILE', message: `"${folder}" is a folder.` })
  })

  it('a named pipe, without waiting for its writer', async () => {
    const pipe = join(folder, 'pipe.png')
    execFileSync('mkfifo', [pipe])
    await expectFault(request(pipe), { code: 'E_IMAGE_NOT_A_FILE' })
  })

  it('9 gigabytes that stat calls empty, read no further than the limit', async () => {
    const limits = { maxBytes: 1_000_000 }
    await expectFault(request('/proc/self/pagemap', { limits }), { code: 'E_IMAGE_TOO_LARGE' })
  })

  it('a device, unread', async () => {
    await expectFault(request('/dev/zero'), { code: 'E_IMAGE_NOT_A_FILE' })
  })

  it.each([
    ['<!doctype html><title>Not found</title>', 'an HTML page'],
    ['\n<HTML><body>', 'an HTML page'],
    ['<!-- a --><html>', 'an HTML page'],
  ])('44: HTML posing as PNG (%j)', async (content, kind) => {
    const path = put('html.png', content)
    await expectFault(request(path), { code: 'E_IMAGE_FORMAT', message: `"${path}" is ${kind}.` })
  })

  it('45: truncated', async () => {
    const path = put('cut.png', stageBytes.subarray(0, stageBytes.length / 2))
    await expectFault(request(path), { code: 'E_IMAGE_BROKEN', message: expect.stringContaining(path) })
  })

  it('46: a pixel bomb, before it is decoded', async () => {
    const path = join(fixtures, 'refused/bomb.png')
    const before = process.cpuUsage()
    await expectFault(request(path), {
      code: 'E_IMAGE_TOO_MANY_PIXELS',
      message: expect.stringContaining('20000 × 20000'),
    })
    // Decoding 400 million pixels takes seconds of all threads together.
    const { user, system } = process.cpuUsage(before)
    expect((user + system) / 1000).toBeLessThan(10 * yardstickMs())
  })

  it('46: a header that lies about its size', async () => {
    const lying = Buffer.from(stageBytes)
    lying.writeUInt32BE(50_000, 16)
    lying.writeUInt32BE(50_000, 20)
    await expectFault(request(put('lying.png', lying)), {
      code: expect.stringMatching(/^E_IMAGE_(BROKEN|TOO_MANY_PIXELS)$/),
    })
  })

  it.each([
    '<svg xmlns="http://www.w3.org/2000/svg"/>',
    '<?xml version="1.0"?>\n<!-- a -->\n<svg>',
    '\ufeff<svg>',
  ])('47: SVG (%j)', async (content) => {
    const path = put('drawing.png', content)
    await expectFault(request(path), { code: 'E_IMAGE_FORMAT', message: `"${path}" is an SVG drawing.` })
  })

  it.each([
    ['animated.png', 'E_IMAGE_ANIMATED', 'an animation'],
    ['animated.webp', 'E_IMAGE_ANIMATED', 'an animation'],
    ['still.bmp', 'E_IMAGE_FORMAT', 'a BMP'],
  ])('47: %s, whatever it is named', async (file, code, kind) => {
    const path = join(folder, `${file}.png`)
    copyFileSync(join(fixtures, 'refused', file), path)
    await expectFault(request(path), { code, message: `"${path}" is ${kind}.` })
  })

  it.each([
    ['', 'empty'],
    ['%PDF-1.7', 'a PDF'],
    ['\0\0\0\x18ftypheic\0\0\0\0mif1heic', 'a HEIC picture'],
    ['\0\0\0\x20ftypisom\0\0\x02\0isomiso2', 'a video'],
    ['\x1aE\xdf\xa3\x01\0\0\0', 'a video'],
    ['{ "error": 404 }', 'JSON'],
    ['<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', 'an XML document'],
    ['version https://git-lfs.github.com/spec/v1', 'a Git LFS pointer, not the file itself'],
    ['something else', 'not a picture in a known format'],
  ])('%j', async (content, kind) => {
    const path = put('other.png', Buffer.from(content, 'latin1'))
    await expectFault(request(path), { code: 'E_IMAGE_FORMAT', message: `"${path}" is ${kind}.` })
  })

  it('50: too many bytes', async () => {
    await expectFault(request(stage, { limits: { maxBytes: stageBytes.length - 1 } }), {
      code: 'E_IMAGE_TOO_LARGE',
    })
    await checkInitImage(request(stage, { limits: { maxBytes: stageBytes.length } }))
  })
})

describe('URLs', () => {
  let server: LocalServer
  let answer: (response: ServerResponse) => void
  const url = (): string => `http://127.0.0.1:${server.port}/stage.png?token=hunter2`
  beforeAll(async () => {
    server = await startServer('http', (_, response) => answer(response))
  })
  afterAll(() => server.close())

  it('are fetched, and give the same picture as the file', async () => {
    answer = (response) => response.end(stageBytes)
    const fetched = await loadInitImage(request(url(), { allowPrivate: true }))
    expect(fetched).toEqual(await loadInitImage(request(stage)))
  })

  it.each([
    ['file:///etc/passwd', 'E_IMAGE_URL_SCHEME'],
    ['FILE:/etc/passwd', 'E_IMAGE_URL_SCHEME'],
    ['data:image/png;base64,AAAA', 'E_IMAGE_URL_SCHEME'],
    ['http://example.com/stage.png', 'E_IMAGE_URL_SCHEME'],
    ['https://127.0.0.1/stage.png', 'E_IMAGE_URL_PRIVATE'],
    ['https://[::1]/stage.png', 'E_IMAGE_URL_PRIVATE'],
    ['https://169.254.169.254/stage.png', 'E_IMAGE_URL_PRIVATE'],
    ['https://192.168.1.1/stage.png', 'E_IMAGE_URL_PRIVATE'],
    ['https://localhost/stage.png', 'E_IMAGE_URL_PRIVATE'],
  ])('48, 49: %s is refused', async (source, code) => {
    await expectFault(request(source), { code })
  })

  it('50: too large or too slow', async () => {
    const limited = (limits: InitImageRequest['limits']) => request(url(), { allowPrivate: true, limits })
    answer = (response) => response.end(stageBytes)
    await expectFault(limited({ maxBytes: 100 }), { code: 'E_IMAGE_URL_TOO_LARGE' })
    answer = (response) => void response.write(stageBytes.subarray(0, 10))
    await expectFault(limited({ timeoutMs: 80 }), { code: 'E_IMAGE_URL_TIMEOUT' })
  })

  it('44: an HTML page in place of the picture is named without the query', async () => {
    answer = (response) => response.setHeader('content-type', 'image/png').end('<!doctype html>')
    await expectFault(request(url(), { allowPrivate: true }), {
      code: 'E_IMAGE_FORMAT',
      message: `"http://127.0.0.1:${server.port}/stage.png" is an HTML page.`,
    })
  })
})
