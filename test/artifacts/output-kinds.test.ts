/** A kind of output is a row of OUTPUT_KINDS: one is added, and nothing else is touched. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import { outputKindOf } from '../../src/artifacts/file-names.ts'
import { openLedger, readLedger } from '../../src/artifacts/ledger.ts'
import { createManifest, encodeManifest } from '../../src/artifacts/manifest.ts'
import type { OutputKind } from '../../src/artifacts/output-kinds.ts'
import { createVariantWriter } from '../../src/artifacts/variant-writer.ts'
import { unitFiles } from '../../src/plan/unit-files.ts'
import { createMemoryStorage } from '../../src/storage/memory.ts'
import { uploadTree } from '../../src/storage/upload-tree.ts'
import { verifyTree } from '../../src/storage/verify-tree.ts'
import { createDrawing } from '../run/drawing.ts'
import { temporaryFolder } from '../support/temp.ts'

/** Pixels as text. */
const TOY = vi.hoisted(
  (): OutputKind => ({
    id: 'toy',
    type: 'toy',
    name: 'final.txt',
    format: 'text',
    contentType: 'text/x-toy',
    encode: async ({ rgb, width }) => Buffer.from(`toy ${width} ${rgb.join(' ')}`),
    fault: (bytes) => (bytes.toString('latin1', 0, 4) === 'toy ' ? null : 'is no toy'),
    compare: async (kept, drawn) => {
      const largest = Buffer.compare(kept, drawn) === 0 ? 0 : 255
      return { largest, share: largest / 255 }
    },
  }),
)

vi.mock('../../src/artifacts/output-kinds.ts', async (importOriginal) => {
  const { OUTPUT_KINDS } = await importOriginal<typeof import('../../src/artifacts/output-kinds.ts')>()
  return { OUTPUT_KINDS: [...OUTPUT_KINDS, TOY] }
})

const KEY = 'foigoi/v1/cues/dawn/wide'

/** A unit as a run leaves it, all but the device real. */
async function drawToy() {
  const drawing = await createDrawing({ units: [{ variant: 'wide', output: 'toy', thumbnail: true }] })
  await drawing.draw()
  expect(drawing.counts()).toEqual({ done: 1, failed: 0 })
  const { layout, ledger } = drawing
  const asset = ledger.units.get(KEY)?.asset
  if (!asset) throw new Error('nothing was recorded')
  await writeFile(layout.manifestPath, encodeManifest(createManifest('v1', [asset])))
  return { ledger, asset, out: layout.out, folder: layout.variantFolder('dawn', 'wide') }
}

describe('a kind of output that is a row of the list', () => {
  it('is planned, written and listed under its own name, in its place', async () => {
    const previews = { method: 'latent2rgb', every: 1, source: 'denoised', size: 'latent' } as const
    const planned = unitFiles({ output: 'toy', executedSteps: 1, thumbnail: true, previews })
    expect(planned).toEqual(['1.png', 'final.txt', 'final.thumb.webp', 'timing.json'])
    const { ledger, asset, folder } = await drawToy()
    expect(await readFile(join(folder, 'final.txt'), 'utf8')).toMatch(/^toy 8 128 128/)
    expect(ledger.units.get(KEY)?.files.map(({ name }) => name)).toEqual(['final.txt', 'final.thumb.webp'])
    expect(asset).toMatchObject({
      type: 'toy',
      url: 'cues/dawn/wide/final.txt',
      metadata: { format: 'text' },
    })
    const { units, damagedLines } = await readLedger(ledger.path)
    expect(damagedLines).toBe(0)
    expect(units.get(KEY)?.asset).toEqual(asset)
  })

  it.each([true, false])('is sent as what it is, and verified; with the ledger: %s', async (isKnown) => {
    const { out, folder, ...own } = await drawToy()
    const ledger = isKnown ? own.ledger : await openLedger(join(await temporaryFolder(), 'ledger.ndjson'))
    const storage = createMemoryStorage()
    const { failures } = await uploadTree({ out, storage, ledger, emit: () => undefined })
    expect(failures).toEqual([])
    expect(storage.objects.get(`${KEY}/final.txt`)?.contentType).toBe('text/x-toy')
    expect(await verifyTree({ out, ledger, storage })).toMatchObject({ files: 2, objects: 3, problems: [] })

    await writeFile(join(folder, 'final.txt'), 'another')
    const { problems } = await verifyTree({ out, ledger, storage })
    expect(problems.map(({ where, code }) => `${where} ${code}`)).toContain(
      isKnown ? 'disk altered' : 'bucket differs',
    )
    if (isKnown) return
    // Of somebody else's making, and not what its name says: it is not sent.
    const again = await uploadTree({ out, storage, ledger, emit: () => undefined })
    expect(again.problems.map(({ message }) => message)).toContain('the file is no toy')
    await ledger.close()
  })

  it('gives way when its unit becomes one of another kind, and is compared by its own rule', async () => {
    const { out, folder } = await drawToy()
    await createVariantWriter({ out, folder })
    await expect(readFile(join(folder, 'final.txt'))).rejects.toMatchObject({ code: 'ENOENT' })
    expect(await outputKindOf('toy').compare(Buffer.from('a'), Buffer.from('b'))).toMatchObject({ share: 1 })
  })
})
