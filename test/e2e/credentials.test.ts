/** Credentials that cannot work: one message that names the variable or profile, exit 2, and the process ends at once. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { runCli } from '../support/cli.ts'
import { freePort } from '../support/moto.ts'
import { tinySheet, writeSheet } from '../support/runs.ts'
import { createScratch } from '../support/scratch.ts'

const scratch = createScratch()
const KEYS = { AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE', AWS_SECRET_ACCESS_KEY: 'hunter2hunter2' }
const CUES = { dawn: { program: 'P0', prompt: 'x', seeds: [1] } }
const CONFIG = `
[profile fails]
credential_process = sh -c 'echo no vault >&2; exit 3'
[profile rubbish]
credential_process = echo hello
[profile late]
credential_process = sleep 60
[profile orphan]
role_arn = arn:aws:iam::123456789012:role/x
source_profile = nobody
[profile sso]
sso_start_url = https://example.awsapps.com/start
sso_region = us-east-1
sso_account_id = 123456789012
sso_role_name = x
`

let sheet: string
let awsSheet: string
beforeAll(async () => {
  writeFileSync(join(scratch.folder, 'config'), CONFIG)
  const endpoint = `http://127.0.0.1:${await freePort()}`
  const base = { programs: { P0: {} }, cues: CUES }
  sheet = await writeSheet(scratch.folder, tinySheet({ ...base, storage: { bucket: 'show', endpoint } }))
  awsSheet = await writeSheet(scratch.folder, tinySheet({ ...base, storage: { bucket: 'show' } }), 'aws.yaml')
})

const ROWS: readonly [string, Record<string, string>, code: string, words: string[]][] = [
  [
    'a line break',
    { ...KEYS, AWS_ACCESS_KEY_ID: 'AKID\n' },
    'E_CREDENTIALS_MALFORMED',
    ['AWS_ACCESS_KEY_ID', 'a line break'],
  ],
  [
    'a carriage return',
    { ...KEYS, AWS_SECRET_ACCESS_KEY: 'hunter2hunter2\r' },
    'E_CREDENTIALS_MALFORMED',
    ['AWS_SECRET_ACCESS_KEY', 'a carriage return'],
  ],
  [
    'a blank',
    { ...KEYS, AWS_SESSION_TOKEN: ' token' },
    'E_CREDENTIALS_MALFORMED',
    ['AWS_SESSION_TOKEN', 'a blank'],
  ],
  ['half a pair', { AWS_ACCESS_KEY_ID: 'AKID' }, 'E_NO_CREDENTIALS', ['AWS_SECRET_ACCESS_KEY is not']],
  ['a profile that is not there', { AWS_PROFILE: 'nope' }, 'E_NO_CREDENTIALS', ['AWS_PROFILE', '"nope"']],
  ['a process that fails', { AWS_PROFILE: 'fails' }, 'E_NO_CREDENTIALS', ['credential_process', '"fails"']],
  [
    'a process that prints rubbish',
    { AWS_PROFILE: 'rubbish' },
    'E_NO_CREDENTIALS',
    ['credential_process', '"rubbish"'],
  ],
  [
    'a process that is late',
    { AWS_PROFILE: 'late' },
    'E_NO_CREDENTIALS',
    ['credential_process', '"late"', 'no answer within 15 s'],
  ],
  [
    'a source_profile that is not there',
    { AWS_PROFILE: 'orphan' },
    'E_NO_CREDENTIALS',
    ['source_profile "nobody"', '"orphan"'],
  ],
  [
    'an SSO session that is over',
    { AWS_PROFILE: 'sso' },
    'E_EXPIRED_KEY',
    ['"sso"', 'aws sso login --profile sso'],
  ],
  ['nothing', {}, 'E_NO_CREDENTIALS', ['AWS_ACCESS_KEY_ID']],
  ['no region', KEYS, 'E_NO_REGION', ['AWS_REGION', 'AWS_DEFAULT_REGION']],
]

describe('a run', () => {
  it.concurrent.each(ROWS)(
    'with %s',
    async (name, given, code, words) => {
      const env = {
        AWS_CONFIG_FILE: join(scratch.folder, 'config'),
        AWS_SHARED_CREDENTIALS_FILE: '/nonexistent',
        HOME: scratch.folder,
        PREGEN_ALLOW_LOCAL_ENDPOINT: '1',
        ...given,
      }
      let toldAt = 0
      const args = ['run', name === 'no region' ? awsSheet : sheet, '--out', join(scratch.folder, name)]
      const { code: exit, stderr } = await runCli(args, {
        env,
        onStderr: () => {
          toldAt = performance.now()
        },
      })
      const lingeredMs = performance.now() - toldAt
      expect([exit, stderr]).toEqual([2, expect.stringContaining(code)])
      for (const word of words) expect(stderr).toContain(word)
      // With the sheet's line where one of its settings is at fault.
      expect(stderr.match(/^(?:\S+:\d+:\d+ {2})?E_/gm)?.length).toBe(1)
      expect(stderr).not.toContain('W_BUCKET_NOT_READ')
      expect(stderr).not.toContain('hunter2')
      // A socket or timer that is left open would hold the process for minutes.
      expect(lingeredMs).toBeLessThan(15_000)
    },
    120_000,
  )
})
