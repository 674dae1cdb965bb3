import { mkdir, readdir, symlink, writeFile } from 'node:fs/promises'
import { join, relative, resolve, sep } from 'node:path'
import { describe, expect, it } from 'vitest'
import {
  cacheControlOf,
  compareVariantFiles,
  contentTypeOf,
  isVariantFileName,
  stepAnimationName,
  stepName,
  stepOfAnimationName,
  stepOfName,
} from '../../src/artifacts/file-names.ts'
import { createLayout, createStateLayout, parseVariantKey, pathOfKey } from '../../src/artifacts/layout.ts'
import { makeFolderInside, openOutputFolder } from '../../src/artifacts/output-folder.ts'
import { PregenError } from '../../src/errors.ts'
import fc from '../support/seed.ts'
import { temporaryFolder } from '../support/temp.ts'

const layout = createLayout({ out: '/data/out', root: 'foigoi', version: 'opening-night' })

/** What an attacker, or a cat on the keyboard, may give as an id. */
const nastyId = fc.oneof(
  fc.string({ maxLength: 40 }),
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.constantFrom(
    '..',
    '.',
    '',
    '../..',
    '..\\..',
    '/etc/passwd',
    'C:',
    'C:\\x',
    '\\\\host\\x',
    'a/../../b',
    '~',
  ),
  fc.constantFrom(
    'con',
    'NUL.png',
    'a\0b',
    'a\nb',
    '-rf',
    '.hidden',
    'dot.',
    'space ',
    '\u202egnp',
    '%2e%2e',
  ),
  fc
    .array(fc.constantFrom('..', '.', '/', '\\', 'a', '%2f', '\0'), { maxLength: 8 })
    .map((parts) => parts.join('')),
)

function refusalOf(work: () => unknown): PregenError | null {
  try {
    work()
    return null
  } catch (error) {
    if (error instanceof PregenError) return error
    throw error
  }
}

describe('layout', () => {
  it('names what the contract names', () => {
    expect(layout.variantKey('dawn', 'wide')).toBe('foigoi/opening-night/cues/dawn/wide')
    expect(layout.fileKey('dawn', 'wide', stepName(12))).toBe('foigoi/opening-night/cues/dawn/wide/12.png')
    expect(layout.filePath('dawn', 'wide', 'timing.json')).toBe(
      resolve('/data/out/foigoi/opening-night/cues/dawn/wide/timing.json'),
    )
    expect(layout.manifestKey).toBe('foigoi/opening-night/manifest.json')
    expect(layout.state.ledgerPath).toBe(resolve('/data/out/.pregen/ledger.ndjson'))
    expect(layout.state.livePreviewPath('dawn', 'wide')).toBe(
      resolve('/data/out/.pregen/live/dawn/wide_preview.png'),
    )
  })

  it('lets no id out of the root, whatever it is (1000 ids in each place)', () => {
    let sound = 0
    fc.assert(
      fc.property(nastyId, nastyId, nastyId, nastyId, (root, version, cue, variant) => {
        const out = resolve('/data/out')
        const refusal = refusalOf(() => {
          const made = createLayout({ out, root, version })
          for (const path of [
            made.filePath(cue, variant, 'final.png'),
            made.manifestPath,
            made.state.livePreviewPath(cue, variant),
          ]) {
            expect(path.startsWith(out + sep)).toBe(true)
            expect(relative(out, path).split(sep)).not.toContain('..')
          }
          for (const key of [made.fileKey(cue, variant, 'final.png'), made.manifestKey]) {
            expect(Buffer.byteLength(key)).toBeLessThanOrEqual(1024)
            expect(key).not.toMatch(/\/\/|\\|\0|(^|\/)\.\.?(\/|$)/)
            expect(pathOfKey(out, key).startsWith(out + sep)).toBe(true)
          }
        })
        if (refusal === null) sound++
        else expect(['E_PATH_ESCAPE', 'E_KEY_TOO_LONG']).toContain(refusal.code)
      }),
      { numRuns: 1000 },
    )
    expect(sound).toBeGreaterThan(0)
  })

  it('lets ordinary ids of any script pass unchanged', () => {
    for (const id of ['dawn', 'seed-1', '001', 'Évening_2', '晨曦', 'a.b', 'a b', '🌊']) {
      expect(layout.variantKey(id, id)).toBe(`foigoi/opening-night/cues/${id}/${id}`)
    }
  })

  it.each([
    ['..', 'a folder above'],
    ['', 'empty'],
    ['a/b', 'character'],
    ['.hidden', 'begins'],
    ['-rf', 'begins'],
    ['end.', 'ends'],
    ['CON', 'Windows'],
    ['lpt1.txt', 'Windows'],
    ['a\u202eb', 'character'],
    ['a\u200bb', 'character'],
  ])('refuses %j and says why', (id, why) => {
    const refusal = refusalOf(() => layout.variantKey('dawn', id))
    expect(refusal?.code).toBe('E_PATH_ESCAPE')
    expect(refusal?.message).toContain(why)
  })

  it('leaves room for every file of the longest variant', () => {
    const [long, rest] = ['x'.repeat(240), 1024 - '/final.thumb.webp'.length]
    const { variantKey, fileKey } = createLayout({ out: '/o', root: [long, long].join('/'), version: long })
    const cue = 'y'.repeat(rest - Buffer.byteLength(variantKey('c', long)) + 1)
    expect(Buffer.byteLength(variantKey(cue, long))).toBe(rest)
    for (const name of ['99999.png', 'final.png', 'final.thumb.webp', 'timing.json'])
      expect(fileKey(cue, long, name)).toBe(`${variantKey(cue, long)}/${name}`)
    expect(refusalOf(() => variantKey(`${cue}y`, long))?.code).toBe('E_KEY_TOO_LONG')
  })

  it('refuses names and keys that stores and file systems do not take', () => {
    expect(refusalOf(() => layout.variantKey('a'.repeat(250), 'b'))?.code).toBe('E_KEY_TOO_LONG')
    const deep = createLayout({ out: '/o', root: Array(6).fill('r'.repeat(150)).join('/'), version: 'v' })
    expect(refusalOf(() => deep.variantKey('c'.repeat(100), 'd'.repeat(100)))?.code).toBe('E_KEY_TOO_LONG')
  })

  it('makes keys for files of a variant only', () => {
    for (const name of ['../x.png', '0.webp', '1.gif', '0.png', '01.png', '1.PNG', 'other.json', 'a/1.png']) {
      expect(isVariantFileName(name)).toBe(false)
      expect(refusalOf(() => layout.fileKey('dawn', 'wide', name))?.code).toBe('E_PATH_ESCAPE')
    }
  })

  it('reads back the names it makes', () => {
    expect(stepOfName(stepName(1000))).toBe(1000)
    expect(stepOfName('final.png')).toBeNull()
    expect([stepAnimationName(12), stepOfAnimationName('12.webp')]).toEqual(['12.webp', 12])
    expect(['12.png', '0.webp', 'final.webp', 'frames/1.webp'].map(stepOfAnimationName)).toEqual(
      Array(4).fill(null),
    )
    const names = ['timing.json', 'final.mp4', '10.png', '2.webp', '2.png', '10.webp', 'frames/0001.png']
    expect(names.sort(compareVariantFiles)).toEqual([
      ...['2.png', '2.webp', '10.png', '10.webp', 'frames/0001.png', 'final.mp4', 'timing.json'],
    ])
    expect(() => stepName(0)).toThrow(RangeError)
    expect(parseVariantKey(layout.variantKey('dawn', 'wide'))).toEqual({
      prefix: 'foigoi/opening-night',
      cue: 'dawn',
      variant: 'wide',
    })
    expect(parseVariantKey(layout.manifestKey)).toBeNull()
  })

  it('puts steps first, in their order, and the marker last', () => {
    const names = ['timing.json', '10.png', 'final.thumb.webp', '9.png', 'final.png', '1.png']
    expect(names.sort(compareVariantFiles)).toEqual([
      '1.png',
      '9.png',
      '10.png',
      'final.png',
      'final.thumb.webp',
      'timing.json',
    ])
  })

  it('knows what each kind of file is and how long it may be kept', () => {
    expect(contentTypeOf('foigoi/v/cues/a/b/1.png')).toBe('image/png')
    expect(contentTypeOf('final.thumb.webp')).toBe('image/webp')
    expect(contentTypeOf('timing.json')).toBe('application/json')
    expect(cacheControlOf('1.png')).toBe('public, max-age=31536000, immutable')
    expect(cacheControlOf('timing.json')).toBe('no-cache')
    expect(cacheControlOf('manifest.json')).toBe('no-cache')
  })
})

describe('output folder', () => {
  it('is made where it is not', async () => {
    const out = join(await temporaryFolder(), 'a/b')
    expect(await openOutputFolder(out)).toBe(out)
    expect(await readdir(out)).toEqual([])
  })

  it('is refused as a symbolic link, with where it leads', async () => {
    const folder = await temporaryFolder()
    await mkdir(join(folder, 'elsewhere'))
    await symlink(join(folder, 'elsewhere'), join(folder, 'out'))
    const work = openOutputFolder(join(folder, 'out'))
    await expect(work).rejects.toMatchObject({ code: 'E_OUTPUT_SYMLINK' })
    await expect(work).rejects.toThrow(/elsewhere/)
  })

  it('is made with all above it', async () => {
    const out = join(await temporaryFolder(), 'a/b/out')
    await Promise.all([openOutputFolder(out), openOutputFolder(out)])
    expect(await readdir(out)).toEqual([])
  })

  it.runIf(process.platform === 'linux')(
    'is refused, and not waited for, where no folder can be',
    async () => {
      const work = openOutputFolder('/proc/pregen-test/out')
      await expect(work).rejects.toMatchObject({ code: 'E_OUTPUT_FOLDER' })
    },
    5000,
  )

  it('is refused where a file stands', async () => {
    const folder = await temporaryFolder()
    await writeFile(join(folder, 'out'), '')
    await expect(openOutputFolder(join(folder, 'out'))).rejects.toMatchObject({ code: 'E_OUTPUT_FOLDER' })
  })

  it('follows no link inside that leads out, and makes nothing beyond it', async () => {
    const folder = await temporaryFolder()
    const out = join(folder, 'out')
    await mkdir(join(out, 'foigoi'), { recursive: true })
    await mkdir(join(folder, 'elsewhere'))
    await symlink(join(folder, 'elsewhere'), join(out, 'foigoi/v'))
    const work = makeFolderInside(out, join(out, 'foigoi/v/cues/a/b'))
    await expect(work).rejects.toMatchObject({ code: 'E_OUTPUT_SYMLINK' })
    expect(await readdir(join(folder, 'elsewhere'))).toEqual([])
    await symlink(join(folder, 'nowhere'), join(out, 'foigoi/w'))
    await expect(makeFolderInside(out, join(out, 'foigoi/w/cues'))).rejects.toBeInstanceOf(PregenError)
  })

  it('keeps its own state beside the published tree', () => {
    expect(createStateLayout('/o').jobsFolder).toBe(resolve('/o/.pregen/jobs'))
  })
})
