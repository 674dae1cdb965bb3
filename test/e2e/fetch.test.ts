import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runCli } from '../support/cli.ts'

describe('an init image behind a URL', () => {
  let connections = 0
  const server = createServer((socket) => {
    connections++
    socket.destroy()
  })
  let folder = ''

  beforeAll(async () => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const address = server.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    folder = await mkdtemp(join(tmpdir(), 'pregen-fetch-'))
    const cue = `{ program: P0, prompt: sea, image: "https://127.0.0.1:${port}/a.png", seeds: [1] }`
    const head = 'version: v1\ndefaults: { width: 64, height: 64, steps: 2 }\nprograms: { P0: {} }\n'
    await writeFile(join(folder, 's.yaml'), `${head}cues: { dawn: ${cue} }\n`)
  })
  afterAll(async () => {
    server.close()
    await rm(folder, { recursive: true, force: true })
  })

  const run = (...args: string[]) => runCli([...args, 's.yaml', '--allow-private-urls'], { cwd: folder })

  it('is not asked for by a plan, which says so', async () => {
    const { code, stdout } = await run('plan')
    expect(code).toBe(0)
    expect(stdout).toContain('new; image not checked')
    expect(connections).toBe(0)
  })

  it('is not asked for by a dry run, which says how to allow it', async () => {
    const { code, stderr } = await run('run', '--dry-run')
    expect(code).toBe(2)
    expect(stderr).toMatch(/^s\.yaml:4:\d+ {2}E_IMAGE_NOT_FETCHED\n/)
    expect(stderr).toContain('--fetch')
    expect(connections).toBe(0)
  })

  it('is asked for with --fetch', async () => {
    const { code, stderr } = await run('plan', '--fetch')
    expect(code).toBe(2)
    expect(stderr).toContain('E_IMAGE_URL_')
    expect(connections).toBeGreaterThan(0)
  })
})
