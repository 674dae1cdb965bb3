/** Runs that come in over HTTP, on the server that `pregen serve` starts. */
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it, onTestFinished } from 'vitest'
import { openServer } from '../../src/cli/commands/serve.ts'
import type { RunStatusJson } from '../../src/watch/runs/run-status.ts'
import { packageRoot, runCli } from '../support/cli.ts'
import { filesBelow, pictureHashes, tinySheet, writeSheet } from '../support/runs.ts'
import { temporaryFolder } from '../support/temp.ts'

const TOKEN = 'a-token-for-tests-only'
const AUTHORIZED = { authorization: `Bearer ${TOKEN}` }

/** A server for an empty output folder, and a folder of sheets with the demo in few steps. */
async function serve() {
  const folder = await temporaryFolder()
  const [out, sheets] = [join(folder, 'out'), join(folder, 'sheets')]
  await mkdir(out)
  await mkdir(sheets)
  const demo = await readFile(join(packageRoot, 'cues/demo.yaml'), 'utf8')
  const quick = demo.replace('steps: 20', 'steps: 2').replace('steps: 28', 'steps: 4')
  await writeFile(join(sheets, 'demo.yaml'), quick)
  await cp(join(packageRoot, 'cues/stage.png'), join(sheets, 'stage.png'))
  const watch = { host: '127.0.0.1', port: 0, token: TOKEN, previewQuality: 75, previewSize: 512 }
  const server = await openServer(out, { ...watch, sheets })
  onTestFinished(() => server.close())
  const ask = async (path: string, init: RequestInit = {}) =>
    await fetch(`${server.origin}${path}`, { ...init, headers: AUTHORIZED })
  const post = (body: object) => ask('/api/runs', { method: 'POST', body: JSON.stringify(body) })
  const ended = async (id: string): Promise<RunStatusJson> => {
    for (;;) {
      const status = (await (await ask(`/api/runs/${id}`)).json()) as RunStatusJson
      if (status.state !== 'queued' && status.state !== 'running') return status
      await sleep(200)
    }
  }
  return { folder, out, sheets, server, ask, post, ended, quick }
}

it('the demo ends in the same tree as on the command line', { timeout: 400_000 }, async () => {
  const { folder, out, sheets, server, post, ended, quick } = await serve()
  const options = { dry_run: true, threads: 1, provider: 'cpu' }
  const answer = await post({ path: 'demo.yaml', options })
  const submitted = (await answer.json()) as { id: string }
  expect([answer.status, submitted]).toEqual([
    202,
    {
      id: expect.stringMatching(/^\d{8}-\d{6}-[0-9a-f]{4}$/),
      state: 'queued',
      position: 1,
      eta_seconds: null,
      url: `${server.origin}/#run=${submitted.id}`,
    },
  ])
  const done = await ended(submitted.id)
  expect(done).toMatchObject({ state: 'done', done: 16, failed: 0, error: null, version: 'demo' })
  // The sheet's own text: what it needs lies below --sheets, and all of it is whole already.
  const again = await post({ sheet: quick, options })
  const second = (await again.json()) as { id: string; eta_seconds: number | null }
  // Nothing is left to draw; planning may have taken too long to tell.
  expect([0, null]).toContain(second.eta_seconds)
  expect(await ended(second.id)).toMatchObject({ state: 'done', done: 0, skipped: 16, sheet: 'sheet.yaml' })
  const { stdout } = await runCli(['status', second.id, '--json', '--out', out])
  const command = `pregen run - --out ${out} --dry-run --provider=cpu --threads=1 < ${out}/.pregen/runs/${second.id}/sheet.yaml`
  expect(JSON.parse(stdout).continue_command).toBe(command)
  const there = join(folder, 'there')
  const words = ['run', join(sheets, 'demo.yaml'), '--out', there, '--dry-run', '--threads', '1']
  expect((await runCli([...words, '--provider', 'cpu'])).code).toBe(0)
  const published = async (tree: string) =>
    (await filesBelow(tree)).filter((path) => path.startsWith('foigoi/'))
  expect(await published(out)).toEqual(await published(there))
  expect(await pictureHashes(out)).toEqual(await pictureHashes(there))
})

it('a sheet with three faults is refused with all three and their lines', async () => {
  const { post, ask } = await serve()
  const sheet = [
    'version: bad',
    'programs: { P1: { stepz: 4 } }',
    'cues:',
    '  dawn: { program: P9, prompt: x, seeds: [1] }',
    '  dusk: { program: P1, prompt: x, seeds: [1], guidance_scale: hot }',
  ].join('\n')
  const refused = await post({ sheet, options: { dry_run: true } })
  expect(refused.status).toBe(422)
  const { errors } = (await refused.json()) as { errors: { code: string; line: number; help: string }[] }
  expect(errors.map(({ line }) => line).sort()).toEqual([2, 4, 5])
  expect(errors.every(({ code }) => code.startsWith('E_'))).toBe(true)
  expect(await (await ask('/api/runs')).json()).toEqual([])
})

it.each(['image', 'mask', 'last_image', 'video', 'images'])(
  'a sheet may draw from nothing outside the folder of sheets: %s',
  async (setting) => {
    const { post, ask } = await serve()
    const path = '/etc/hostname'
    const value = setting === 'images' ? `[stage.png, ${path}]` : path
    // Without an image these are a fault of their own.
    const image = setting === 'mask' || setting === 'last_image' ? 'image: stage.png, ' : ''
    const sheet = `version: v\nprograms: { P0: {} }\ncues:\n  c: { program: P0, prompt: x, ${image}${setting}: ${value}, seeds: [1] }\n`
    const refused = await post({ sheet, options: { dry_run: true } })
    const { errors } = (await refused.json()) as { errors: { code: string; message: string }[] }
    expect([refused.status, errors]).toEqual([
      422,
      [expect.objectContaining({ code: 'E_REQUEST_PATH', message: expect.stringContaining(path) })],
    ])
    expect(await (await ask('/api/runs')).json()).toEqual([])
  },
)

it.each([
  ['outside', { path: '../secret.yaml' }],
  ['an absolute path', { path: '/etc/passwd' }],
  ['a model outside', { sheet: 'version: v\nmodels: { m: /etc }\nprograms: { P0: {} }\ncues: {}\n' }],
  [
    'a file of rows outside',
    { sheet: 'version: v\nprograms: { P0: {} }\ncues: { a: { program: P0, rows: ../secret.csv } }\n' },
  ],
  ['an option that is none', { path: 'demo.yaml', options: { out: '/tmp' } }],
  ['nothing', {}],
])('%s is refused', async (_what, body) => {
  const { post } = await serve()
  expect((await post(body)).status).toBe(422)
})

it('a run serves its own page for as long as it lasts, and says when the port is taken', {
  timeout: 180_000,
}, async () => {
  const folder = await temporaryFolder()
  const cues = { a: { program: 'P1', prompt: 'a fox', seeds: [1, 2, 3, 4, 5, 6, 7, 8] } }
  const programs = { P1: { steps: 20, previews: { method: 'latent2rgb' } } }
  const sheet = await writeSheet(folder, tinySheet({ programs, cues }))
  const words = [
    'run',
    sheet,
    '--out',
    join(folder, 'out'),
    '--dry-run',
    '--threads',
    '1',
    '--format',
    'plain',
  ]
  const seen: Promise<unknown>[] = []
  const { code } = await runCli([...words, '--serve', '0'], {
    onStderr: (text) => {
      const url = /watch at (\S+)/.exec(text)?.[1]
      if (url === undefined) return
      const { origin, searchParams, port } = new URL(url)
      const headers = { authorization: `Bearer ${searchParams.get('token')}` }
      seen.push(fetch(`${origin}/api/runs`, { headers }).then((answer) => answer.status))
      seen.push(runCli([...words, '--serve', port]).then(({ stderr }) => stderr.includes('E_PORT_IN_USE')))
    },
  })
  expect(code).toBe(0)
  expect(await Promise.all(seen)).toEqual([200, true])
})
