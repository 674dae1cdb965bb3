/**
 * Races `pregen upload`, rclone and the AWS CLI: the same files, the same server, the same concurrency, three rounds
 * in turn, each from process start to exit. `npm run bench:upload [-- --objects 1000 --size 300000 --rounds 3 --server moto|sink]`
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { randomFillSync } from 'node:crypto'
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { createLayout } from '../src/artifacts/layout.ts'
import { openLedger } from '../src/artifacts/ledger.ts'
import { createVariantWriter } from '../src/artifacts/variant-writer.ts'
import { median } from './statistics.ts'
import { type Sink, startMotoSink, startSink } from './upload-servers.ts'

const { values } = parseArgs({
  options: {
    objects: { type: 'string', default: '1000' },
    size: { type: 'string', default: '300000' },
    rounds: { type: 'string', default: '3' },
    concurrency: { type: 'string', default: '16' },
    server: { type: 'string', default: 'moto' },
  },
})
const objects = Number(values.objects)
const sizeBytes = Number(values.size)
const rounds = Number(values.rounds)
const concurrency = Number(values.concurrency)
const root = resolve(import.meta.dirname, '../../../..')
const FILES_PER_VARIANT = 20

/** A tree as a run leaves it: variants of twenty pictures of noise, and their ledger. */
async function makeTree(out: string): Promise<void> {
  const layout = createLayout({ out, root: 'foigoi', version: 'race' })
  mkdirSync(out, { recursive: true })
  const ledger = await openLedger(layout.state.ledgerPath)
  const body = Buffer.alloc(sizeBytes)
  for (let made = 0, variant = 0; made < objects; variant++) {
    const name = `seed-${variant}`
    const folder = layout.variantFolder('cue', name)
    const writer = await createVariantWriter({ out, folder })
    const steps = Math.min(FILES_PER_VARIANT, objects - made) - 1
    for (let step = 1; step <= steps; step++) await writer.writeStep(step, randomFillSync(body))
    await writer.writeFinal(randomFillSync(body))
    const files = await writer.finish(null)
    await ledger.recordUnit(layout.variantKey('cue', name), { digest: 'd', parts: {}, files })
    made += files.length
  }
  await ledger.close()
  copyFileSync(layout.state.ledgerPath, join(out, '.pregen/unsent.ndjson'))
}

interface Racer {
  readonly name: string
  readonly version: string
  /** Whatever must stand as it did before the first round. */
  readonly prepare: () => void
  readonly command: readonly string[]
  readonly env: Readonly<Record<string, string>>
}

function createRacers(out: string, endpoint: string, folder: string): readonly Racer[] {
  const keys = { AWS_ACCESS_KEY_ID: 'race', AWS_SECRET_ACCESS_KEY: 'race-secret', AWS_REGION: 'us-east-1' }
  const tree = join(out, 'foigoi')
  const config = join(folder, 'aws-config')
  writeFileSync(
    config,
    `[default]\nregion = us-east-1\ns3 =\n  max_concurrent_requests = ${concurrency}\n  addressing_style = path\n`,
  )
  writeFileSync(
    join(out, '.pregen/storage.json'),
    JSON.stringify({
      bucket: 'race',
      prefix: '',
      endpoint,
      region: 'us-east-1',
      forcePathStyle: true,
      concurrency,
    }),
  )
  const rclone = [
    'rclone',
    'copy',
    tree,
    ':s3:race/foigoi',
    '--s3-provider=Other',
    `--s3-endpoint=${endpoint}`,
    '--s3-env-auth',
    '--s3-force-path-style',
    '--s3-no-check-bucket',
    `--transfers=${concurrency}`,
    `--checkers=${concurrency}`,
    '--config=/dev/null',
    '--quiet',
  ]
  const rcloneVersion = versionOf('rclone', ['version'])
  const aws = existsSync('/usr/bin/aws') ? '/usr/bin/aws' : 'aws'
  return [
    {
      name: 'pregen',
      version: versionOf(process.execPath, [join(root, 'bin/pregen.js'), '--version']),
      prepare: () => copyFileSync(join(out, '.pregen/unsent.ndjson'), join(out, '.pregen/ledger.ndjson')),
      command: [process.execPath, join(root, 'bin/pregen.js'), 'upload', out],
      env: { ...keys, AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true' },
    },
    { name: 'rclone', version: rcloneVersion, prepare: () => undefined, command: rclone, env: keys },
    {
      name: 'rclone, unchecked',
      version: `${rcloneVersion}, no HEAD after a PUT, no listing before`,
      prepare: () => undefined,
      command: [...rclone, '--s3-no-head', '--no-check-dest', '--ignore-checksum'],
      env: keys,
    },
    {
      name: 'awscli',
      version: versionOf(aws, ['--version']),
      prepare: () => undefined,
      command: [
        aws,
        '--endpoint-url',
        endpoint,
        's3',
        'cp',
        '--recursive',
        '--quiet',
        tree,
        's3://race/foigoi',
      ],
      env: { ...keys, AWS_CONFIG_FILE: config },
    },
  ]
}

function versionOf(program: string, argv: readonly string[]): string {
  try {
    return execFileSync(program, argv, { encoding: 'utf8' }).split('\n')[0] ?? ''
  } catch (error) {
    throw new Error(`the race needs ${program} (Debian: apt-get install rclone awscli)`, { cause: error })
  }
}

// Keys, profiles and certificates of whoever runs this have no part in it.
const withoutAws = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !name.startsWith('AWS_')),
)

/** Seconds from start to exit; every object must have landed. */
async function runOnce(racer: Racer, sink: Sink): Promise<number> {
  await sink.reset('race')
  racer.prepare()
  const [program = '', ...argv] = racer.command
  const from = performance.now()
  const { status, stderr } = await new Promise<{ status: number | null; stderr: string }>((done) => {
    const child = spawn(program, argv, {
      env: { ...withoutAws, ...racer.env },
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    let stderr = ''
    child.stderr.on('data', (text) => {
      stderr += text
    })
    child.on('close', (status) => done({ status, stderr }))
  })
  const seconds = (performance.now() - from) / 1000
  const landed = await sink.landed()
  if (status !== 0 || landed < objects) {
    throw new Error(`${racer.name} ended with ${status}, ${landed} of ${objects} objects landed\n${stderr}`)
  }
  return seconds
}

const folder = mkdtempSync(join(tmpdir(), 'pregen-race-'))
const sink = values.server === 'sink' ? await startSink(root) : await startMotoSink()
try {
  const out = join(folder, 'out')
  await makeTree(out)
  // What was just written must not be written out by the kernel during someone's turn.
  spawnSync('sync')
  const racers = createRacers(out, sink.endpoint, folder)
  const times = new Map(racers.map(({ name }): [string, number[]] => [name, []]))
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < racers.length; i++) {
      // Each round begins with another one.
      const racer = racers[(i + round) % racers.length]
      if (racer) times.get(racer.name)?.push(await runOnce(racer, sink))
    }
  }
  const own = median(times.get('pregen') ?? [])
  console.log(
    `${objects} × ${sizeBytes} bytes, concurrency ${concurrency}, ${rounds} rounds, ${cpus().length} cores, ` +
      `server: ${sink.description} on the same machine\n`,
  )
  console.log('| | median s | rounds s | objects/s | × pregen | version |')
  console.log('| --- | --- | --- | --- | --- | --- |')
  for (const { name, version } of racers) {
    const all = times.get(name) ?? []
    const middle = median(all)
    const cells = [
      name,
      middle.toFixed(2),
      all.map((time) => time.toFixed(2)).join(' '),
      (objects / middle).toFixed(0),
      (middle / own).toFixed(2),
      version,
    ]
    console.log(`| ${cells.join(' | ')} |`)
  }
} finally {
  sink.stop()
  rmSync(folder, { recursive: true, force: true })
}
