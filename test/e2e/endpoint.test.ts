/** An endpoint of the sheet on the real command line: where it may lead, the same in every command. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runCli } from '../support/cli.ts'
import { BUCKET_ENV, type Sheet, tinySheet, writeSheet } from '../support/runs.ts'
import { createScratch } from '../support/scratch.ts'

const scratch = createScratch()
const { PREGEN_ALLOW_LOCAL_ENDPOINT: _, ...KEYS } = BUCKET_ENV
const CUES = { dawn: { program: 'P0', prompt: 'x', seeds: [1] } }
let requests: string[]
let port: number

const server = createServer((request, response) => {
  requests.push(`${request.method} ${request.headers.host}`)
  request.resume()
  response.writeHead(403).end()
})
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  port = (server.address() as AddressInfo).port
})
afterAll(() => void server.close())

async function run(command: string, endpoint: string, args: string[] = [], env: Record<string, string> = {}) {
  requests = []
  const storage: Sheet = { bucket: 'show', endpoint }
  const sheet = await writeSheet(scratch.folder, tinySheet({ programs: { P0: {} }, cues: CUES, storage }))
  const out = command === 'doctor' ? [] : ['--out', join(scratch.folder, 'out')]
  const { code, stdout, stderr } = await runCli([command, sheet, ...out, ...args], {
    env: { ...KEYS, ...env },
  })
  return { code, text: stdout + stderr }
}

describe('an endpoint on this machine', () => {
  it.each(['plan', 'run', 'doctor'])(
    'is refused by %s, which sends nothing there',
    async (command) => {
      for (const host of ['127.0.0.1', 'localhost', 'x.localhost']) {
        const { code, text } = await run(command, `http://${host}:${port}`)
        expect([code, requests]).toEqual([command === 'doctor' ? 3 : 2, []])
        expect(text).toContain('E_ENDPOINT_PRIVATE')
        expect(text).toContain('--allow-local-endpoint')
        if (command !== 'doctor') expect(text).toMatch(/sheet\.yaml:\d+:\d+ {2}E_ENDPOINT_PRIVATE/)
      }
    },
    600_000,
  )

  it.each<[string, string[], Record<string, string> | (() => Record<string, string>)]>([
    ['the flag', ['--allow-local-endpoint'], {}],
    ['its variable', [], { PREGEN_ALLOW_LOCAL_ENDPOINT: '1' }],
    ["the AWS tools' own variable", [], () => ({ AWS_ENDPOINT_URL: `http://x.localhost:${port}` })],
  ])(
    'is taken by plan and run alike with %s',
    async (_, args, env) => {
      const given = typeof env === 'function' ? env() : env
      const endpoint = `http://x.localhost:${port}`
      expect((await run('plan', endpoint, args, given)).code).toBe(0)
      const { code, text } = await run('run', endpoint, args, given)
      // What the bucket holds is asked while the preflight's own object is put.
      const asked = ['GET', 'PUT'].map((method) => `${method} x.localhost:${port}`)
      expect([code, [...new Set(requests)].sort()]).toEqual([2, asked])
      expect(text).toContain('E_ACCESS_DENIED')
    },
    600_000,
  )
})
