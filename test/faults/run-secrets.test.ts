import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type LocalServer, startServer } from '../net/local-server.ts'
import { packageRoot } from '../support/cli.ts'
import { type MotoServer, startMoto } from '../support/moto.ts'
import {
  BUCKET_ENV,
  filesBelow,
  type RunResult,
  runSheet,
  runWhole,
  TINY_SD15,
  tinySheet,
  writeSheet,
} from '../support/runs.ts'
import { createScratch } from '../support/scratch.ts'

const scratch = createScratch()
let moto: MotoServer
let images: LocalServer

beforeAll(async () => {
  moto = await startMoto()
  await moto.createBucket('show')
  const picture = await readFile(join(packageRoot, 'test/fixtures/oracle/inputs/a_64x64.png'))
  images = await startServer('https', (request, response) => {
    const isThere = request.url?.startsWith('/stage.png') === true
    response.writeHead(isThere ? 200 : 403, { 'content-type': 'image/png' })
    response.end(isThere ? picture : '')
  })
}, 600_000)
afterAll(async () => {
  await images.close()
  await moto.stop()
})

const SECRETS = {
  AWS_SECRET_ACCESS_KEY: 'wJalrXUtnFEMI-K7MDENG-bPxRfiCYSECRETKEY',
  AWS_SESSION_TOKEN: 'IQoJb3JpZ2luX2VjSESSIONTOKEN',
}
const SIGNATURE = 'deadbeefPRESIGNEDdeadbeef'
const PASSWORD = 'hunter2PASSWORD'
const HIDDEN = [...Object.values(SECRETS), SIGNATURE, PASSWORD]
const PROMPT = 'a very secret premiere, behind the velvet curtain'

const env = {
  ...BUCKET_ENV,
  ...SECRETS,
  NODE_EXTRA_CA_CERTS: join(packageRoot, 'test/fixtures/net/test-only-certificate.pem'),
}

const imageSheet = (name: string, endpoint: string) => {
  const image = `https://127.0.0.1:${images.port}/${name}?X-Amz-Credential=k&X-Amz-Signature=${SIGNATURE}`
  return tinySheet({
    programs: {
      P1: { previews: { method: 'latent2rgb' } },
      P2: { extends: 'P1', embed_metadata: true },
    },
    cues: {
      dawn: { program: 'P1', prompt: PROMPT, seeds: [1] },
      stage: { program: 'P1', prompt: PROMPT, image, denoise_strength: 0.7, seeds: [2] },
      told: { program: 'P2', prompt: PROMPT, negative_prompt: 'rain', seeds: [3] },
    },
    storage: { bucket: 'show', endpoint },
  })
}

/** Looks into everything that a run says and leaves: not a secret anywhere. */
async function expectNoSecrets(result: RunResult, out: string | null): Promise<void> {
  const texts = new Map([
    ['stdout', result.stdout],
    ['stderr', result.stderr],
  ])
  for (const path of out === null ? [] : await filesBelow(out)) {
    texts.set(path, await readFile(join(out ?? '', path), 'latin1'))
  }
  for (const [name, text] of texts) {
    for (const secret of HIDDEN) expect([name, text.includes(secret)]).toEqual([name, false])
  }
}

describe('promises 15 and 16: what a run says and leaves', () => {
  it('holds no secret when all goes well, and pictures tell a prompt only when asked to', async () => {
    const sheet = await writeSheet(scratch.folder, imageSheet('stage.png', moto.endpoint))
    const out = join(scratch.folder, 'well')
    const result = await runWhole(sheet, out, ['--allow-private-urls', '--live-file'], { env })
    await expectNoSecrets(result, out)
    const files = await filesBelow(out)
    // The ledger, the bucket's name, and the run's log: its events and what it is.
    expect(files.filter((path) => path.startsWith('.pregen/')).length).toBe(4)
    const pngs = files.filter((path) => path.endsWith('.png'))
    // Three steps and final; image-to-image executes two of the three.
    expect(pngs.length).toBe(4 + 3 + 4)
    for (const path of pngs) {
      const bytes = await readFile(join(out, path))
      const tells = path.endsWith('told/seed-3/final.png')
      const chunks = textChunksOf(bytes)
      const expected = tells
        ? [
            `tEXt parameters\0${PROMPT}\nNegative prompt: rain\nSteps: 3, Sampler: PNDMScheduler, CFG scale: 3, Seed: 3, Size: 64x64, Model: tiny`,
          ]
        : []
      expect([path, chunks]).toEqual([path, expected])
      const text = bytes.toString('latin1')
      expect([path, text.includes('premiere')]).toEqual([path, tells])
      for (const place of [scratch.folder, dirname(TINY_SD15.path), 'seed-'])
        expect([path, text.includes(place)]).toEqual([path, false])
    }
  }, 600_000)

  it('holds no secret when the image, the bucket or its address is wrong', async () => {
    const wrongImage = await writeSheet(scratch.folder, imageSheet('gone.png', moto.endpoint), 'image.yaml')
    const out = join(scratch.folder, 'wrong')
    const image = await runSheet(wrongImage, out, ['--allow-private-urls'], { env })
    expect(image.status).toBe(2)
    expect(image.stderr).toContain('stage/seed-2')
    await expectNoSecrets(image, null)

    const address = moto.endpoint.replace('//', `//user:${PASSWORD}@`)
    const withPassword = await writeSheet(scratch.folder, imageSheet('stage.png', address), 'password.yaml')
    const password = await runSheet(withPassword, out, ['--allow-private-urls'], { env })
    expect(password.status).toBe(2)
    await expectNoSecrets(password, null)

    const nowhere = imageSheet('stage.png', `${moto.endpoint}/`)
    const noBucket = await writeSheet(
      scratch.folder,
      { ...nowhere, storage: { bucket: 'no-such-bucket', endpoint: moto.endpoint } },
      'bucket.yaml',
    )
    const bucket = await runSheet(noBucket, out, ['--allow-private-urls'], { env })
    expect(bucket.status).toBe(2)
    expect(bucket.stderr).toContain('no-such-bucket')
    // Told before any model loads.
    expect(bucket.events.some(({ type }) => type === 'model-loaded')).toBe(false)
    await expectNoSecrets(bucket, out)
  }, 600_000)
})

/** Type and content of all chunks that hold text, Exif or XMP. */
function textChunksOf(png: Buffer): string[] {
  const found: string[] = []
  for (let at = 8; at + 12 <= png.length; at += 12 + png.readUInt32BE(at)) {
    const type = png.toString('latin1', at + 4, at + 8)
    const content = png.toString('latin1', at + 8, at + 8 + png.readUInt32BE(at))
    if (/^(tEXt|iTXt|zTXt|eXIf|tIME)$/.test(type)) found.push(`${type} ${content}`)
  }
  return found
}
