/** `pregen gallery`, and the size of what it writes. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { PAGE_NAMES } from '../../src/artifacts/file-names.ts'
import { readPage } from '../../src/artifacts/page.ts'
import { findVersions } from '../../src/watch/versions.ts'
import { writeShow } from '../browser/support/show-tree.ts'
import { packageRoot, runCli } from '../support/cli.ts'
import { temporaryFolder } from '../support/temp.ts'

const pageFolder = join(packageRoot, 'dist/watch/page')

describe('pregen gallery', () => {
  it('writes the page beside the manifest of every version, or of the one named', async () => {
    const out = await temporaryFolder()
    const [one, two] = [await writeShow(out, 'one', []), await writeShow(out, 'two', [])]
    const only = await runCli(['gallery', out, '--version-id', 'two'])
    expect([only.code, only.stdout]).toEqual([0, `${join(two, 'index.html')}\n`])
    expect(await readdir(one)).toEqual(['manifest.json'])
    const all = await runCli(['gallery', out])
    expect([all.code, all.stdout.trim().split('\n').sort()]).toEqual([
      0,
      [one, two].map((each) => join(each, 'index.html')),
    ])
    expect((await readdir(one)).sort()).toEqual([...PAGE_NAMES, 'manifest.json'].sort())
    const html = await readFile(join(one, 'index.html'), 'utf8')
    expect(html).toContain('data-home="static"')
    // Everything is asked for beside the page, and nothing elsewhere.
    const addresses = [...html.matchAll(/(?:src|href)="([^"]*)"/g)].map((match) => match[1]!)
    expect(addresses.length).toBe(3)
    for (const address of addresses) expect(address).toMatch(/^\.\/[\w.]+(\?[0-9a-f]{8})?$/)
  })

  it('says what is missing', async () => {
    const out = await temporaryFolder()
    const nothing = await runCli(['gallery', out])
    expect([nothing.code, nothing.stderr]).toEqual([2, expect.stringContaining('E_NOTHING_TO_SHOW')])
    await writeShow(out, 'one', [])
    const other = await runCli(['gallery', out, '--version-id', 'two'])
    expect([other.code, other.stderr]).toEqual([2, expect.stringContaining('It holds one.')])
    const none = await runCli(['gallery', join(out, 'nowhere')])
    expect([none.code, none.stderr]).toEqual([2, expect.stringContaining('E_OUTPUT_FOLDER')])
  })
})

it('versions are found below roots of any depth, the newest first', async () => {
  const out = await temporaryFolder()
  await writeShow(join(out, 'a'), 'deep', [])
  await new Promise((resolve) => setTimeout(resolve, 20))
  await writeShow(out, 'flat', [])
  expect((await findVersions(out)).map(({ prefix }) => prefix)).toEqual(['foigoi/flat', 'a/foigoi/deep'])
})

it('the page is below 120 kB gzipped, the player below 10 kB and without imports', async () => {
  const files = await readPage(pageFolder)
  const sizeOf = (name: string) => gzipSync(files.find((file) => file.name === name)?.bytes ?? '').byteLength
  expect(sizeOf('index.html') + sizeOf('page.js') + sizeOf('page.css')).toBeLessThan(120_000)
  expect(sizeOf('player.js')).toBeLessThan(10_000)
  const player = await readFile(join(pageFolder, 'player.js'), 'utf8')
  expect(player).not.toMatch(/\bimport\b/)
  expect(files.at(-1)?.name).toBe('index.html')
})

it('pregen/player can be imported where there is no DOM', async () => {
  const player: Record<string, unknown> = await import(`${packageRoot}/dist/watch/player/index.js`)
  expect(typeof player.PregenPlayer).toBe('function')
})
