/** A queue and a bucket for workers of their own processes. */
import { join } from 'node:path'
import { type ManifestAsset, parseManifest } from '../../src/artifacts/manifest.ts'
import { createS3Storage } from '../../src/storage/s3.ts'
import { type CliOptions, type CliResult, packageRoot, runCli } from '../support/cli.ts'
import { type MotoServer, TEST_CREDENTIALS } from '../support/moto.ts'
import type { RedisServer } from '../support/redis.ts'
import { BUCKET_ENV, type Sheet, TINY_SD15, tinySheet, writeSheet } from '../support/runs.ts'

export const fixtures = join(packageRoot, 'test/fixtures')

/** A sheet of the tiny model whose units go into a bucket. */
export function queuedSheet(moto: Pick<MotoServer, 'endpoint'>, bucket: string, rest: Sheet): Sheet {
  return tinySheet({ storage: { bucket, endpoint: moto.endpoint }, ...rest })
}

export async function enqueue(redis: RedisServer, sheet: string, args: readonly string[] = []) {
  const all = ['enqueue', sheet, '--queue', redis.url, '--json', ...args]
  const result = await runCli(all, { env: BUCKET_ENV })
  return { ...result, counts: result.code === 0 ? JSON.parse(result.stdout) : null }
}

/** `pregen work`; the tiny model and its decoder lie below `--sheets`. */
export function startWorker(
  redis: RedisServer,
  out: string,
  args: readonly string[] = [],
  options: CliOptions = {},
): Promise<CliResult> {
  const fixed = ['--provider', 'cpu', '--threads', '1', '--sheets', fixtures]
  return runCli(['work', '--queue', redis.url, '--out', out, ...fixed, ...args], {
    ...options,
    env: { ...BUCKET_ENV, ...options.env },
  })
}

export async function manifestOf(
  moto: Pick<MotoServer, 'endpoint'>,
  bucket: string,
): Promise<readonly ManifestAsset[]> {
  const store = createS3Storage({ bucket, endpoint: moto.endpoint, credentials: TEST_CREDENTIALS })
  try {
    const body = await store.get('foigoi/v1/manifest.json')
    if (body === null) return []
    return parseManifest(Buffer.from(body).toString('utf8'), 'manifest.json').assets
  } finally {
    await store.close()
  }
}

export { TINY_SD15, writeSheet }
