/** A run's flags as words of a command line again: for the process that runs in the background, and for "do it again". */
import type { RunFlags } from './run-flags.ts'
import type { UploadFlags } from './upload-flags.ts'

/** A row a flag that is handed on; what belongs to this process alone (`--format`, `--serve`, …) is not. */
const HANDED_ON = {
  dryRun: '--dry-run',
  fetch: '--fetch',
  force: '--force',
  failFast: '--fail-fast',
  versionId: '--version-id',
  cue: '--cue',
  variant: '--variant',
  program: '--program',
  shard: '--shard',
  shardTotal: '--shard-total',
  provider: '--provider',
  deviceId: '--device-id',
  devices: '--devices',
  threads: '--threads',
  batch: '--batch',
  concurrency: '--concurrency',
  liveFile: '--live-file',
  verifyRemote: '--verify-remote',
  pull: '--pull',
  drain: '--drain',
  trustSize: '--trust-size',
  allowPrivateUrls: '--allow-private-urls',
  allowLocalEndpoint: '--allow-local-endpoint',
  allowPrivateEndpoint: '--allow-private-endpoint',
  env: '--env',
  envAll: '--env-all',
  testFaults: '--test-faults',
} as const satisfies Partial<Record<keyof RunFlags, string>>

const HANDED_ON_BY_UPLOAD = {
  sheet: '--sheet',
  bucket: '--bucket',
  endpoint: '--endpoint',
  region: '--region',
  prefix: '--prefix',
  concurrency: '--concurrency',
  all: '--all',
  verifyRemote: '--verify-remote',
  allowLocalEndpoint: '--allow-local-endpoint',
  allowPrivateEndpoint: '--allow-private-endpoint',
  env: '--env',
  envAll: '--env-all',
} as const satisfies Partial<Record<keyof UploadFlags, string>>

export function toRunArguments(flags: RunFlags): readonly string[] {
  return toArguments({ ...flags }, HANDED_ON)
}

export function toUploadArguments(flags: UploadFlags): readonly string[] {
  return toArguments({ ...flags }, HANDED_ON_BY_UPLOAD)
}

function toArguments(
  values: Readonly<Record<string, unknown>>,
  rows: Readonly<Record<string, string>>,
): readonly string[] {
  return Object.entries(rows).flatMap(([name, flag]) => {
    const value = values[name]
    if (value === undefined || value === false) return []
    if (value === true) return [flag]
    if (name === 'env' && Array.isArray(value)) return value.map((each) => `${flag}=${each}`)
    // One word, so that no value can be taken for an option.
    return [`${flag}=${Array.isArray(value) ? value.join(',') : value}`]
  })
}
