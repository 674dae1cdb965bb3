/** The way to the queue: Redis, Valkey or what speaks like them, through BullMQ. Both are loaded here and not before. */

import { setTimeout as sleep } from 'node:timers/promises'
import type * as BullMq from 'bullmq'
import type { Redis } from 'ioredis'
import { errorCode, messageOf, PregenError } from '../errors.ts'
import { DEFAULT_PREFIX, type Keys, keysOf } from './names.ts'

export interface QueueClient {
  readonly redis: Redis
  readonly bull: typeof BullMq
  readonly prefix: string
  readonly keys: Keys
  /** For messages: host and port, never a password. */
  readonly description: string
  /** What BullMQ's classes are made with. */
  readonly options: { readonly connection: Redis; readonly prefix: string; readonly skipVersionCheck: true }
  readonly close: () => Promise<void>
}

export interface ConnectOptions {
  /** Told when the queue goes away and when it is back. */
  readonly say?: ((line: string) => void) | undefined
  readonly warn?: ((code: string, message: string) => void) | undefined
  /** How long a queue that does not answer yet is waited for. Default: not at all. */
  readonly patienceMs?: number | undefined
  readonly signal?: AbortSignal | undefined
}

const CONNECT_MS = 10_000
const MOST_WAIT_MS = 2000

/**
 * @param address `redis://[user:password@]host[:port][/database][?prefix=name]`, `rediss://` for TLS
 * @throws PregenError `E_QUEUE_ADDRESS`, `E_QUEUE_UNREACHABLE`
 */
export async function connectQueue(address: string, options: ConnectOptions = {}): Promise<QueueClient> {
  const { say = () => undefined, warn = () => undefined } = options
  const { url, prefix, description } = parseAddress(address)
  const [bull, { Redis: Client }] = await Promise.all([import('bullmq'), import('ioredis')])
  let wasReady = false
  let isAway = false
  const redis = new Client(url, {
    connectTimeout: CONNECT_MS,
    // Commands wait for a queue that is away: who draws has time.
    maxRetriesPerRequest: null,
    retryStrategy: (times) => (wasReady ? Math.min(times * 200, MOST_WAIT_MS) : null),
  })
  let fault: unknown
  redis.on('error', (error: unknown) => {
    fault = error
    if (!wasReady || isAway) return
    isAway = true
    say(`the queue ${description} is away (${messageOf(error)}): waiting for it`)
  })
  redis.on('ready', () => {
    if (isAway) say(`the queue ${description} is back`)
    isAway = false
    wasReady = true
  })
  try {
    await connectPatiently(redis, () => fault, options)
    await warnOfEviction(redis, warn)
  } catch (error) {
    redis.disconnect()
    throw unreachable(description, fault ?? error)
  }
  return {
    ...{ redis, bull, prefix, description, keys: keysOf(prefix) },
    options: { connection: redis, prefix, skipVersionCheck: true },
    close: async () => {
      if (redis.status === 'ready') await redis.quit()
      else redis.disconnect()
    },
  }
}

const AGAIN_MS = 500

/** The client connects as it is made; what BullMQ makes of it would give up at once if it did not. */
function firstConnection(redis: Redis): Promise<void> {
  return new Promise((resolve, reject) => {
    redis.once('ready', resolve)
    redis.once('end', () => reject(new Error('it does not answer')))
  })
}

/** Whether a call failed because the queue is away, and may be made again when it is back. */
export function isAway(error: unknown): boolean {
  return (
    /^(?:ECONN|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH)/.test(errorCode(error) ?? '') ||
    /Connection is closed|Stream isn't writeable|LOADING /.test(messageOf(error))
  )
}

/** Makes a call until the queue is there. */
export async function untilAnswered<T>(call: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await call()
    } catch (error) {
      if (!isAway(error)) throw error
      await sleep(AGAIN_MS)
    }
  }
}

/** A machine and its queue may start at the same time, in any order. A password that is wrong stays so. */
async function connectPatiently(
  redis: Redis,
  fault: () => unknown,
  { patienceMs = 0, signal }: ConnectOptions,
): Promise<void> {
  const end = performance.now() + patienceMs
  // An address behind which nothing answers would take its ten seconds.
  const leave = () => redis.disconnect()
  signal?.addEventListener('abort', leave)
  try {
    for (let isFirst = true; ; isFirst = false) {
      try {
        return await (isFirst ? firstConnection(redis) : redis.connect())
      } catch (error) {
        const isFinal = /NOAUTH|WRONGPASS|NOPERM/.test(messageOf(fault() ?? error))
        if (isFinal || performance.now() > end || signal?.aborted) throw error
        await sleep(AGAIN_MS, undefined, { signal })
      }
    }
  } finally {
    signal?.removeEventListener('abort', leave)
  }
}

interface Address {
  readonly url: string
  readonly prefix: string
  readonly description: string
}

/** @throws PregenError `E_QUEUE_ADDRESS`, which quotes nothing: it may hold a password */
export function parseAddress(address: string): Address {
  const url = URL.canParse(address) ? new URL(address) : undefined
  const prefix = url?.searchParams.get('prefix') ?? DEFAULT_PREFIX
  const isRight =
    url !== undefined &&
    ['redis:', 'rediss:'].includes(url.protocol) &&
    url.hostname !== '' &&
    /^(?:\/\d{0,4})?$/.test(url.pathname) &&
    [...url.searchParams.keys()].every((key) => key === 'prefix') &&
    /^[\w.-]{1,64}$/.test(prefix)
  if (!isRight) {
    throw new PregenError('E_QUEUE_ADDRESS', 'The address of the queue is not one of a Redis.', {
      help: 'Write redis://host:6379, or rediss:// for TLS; a database and a prefix may follow: redis://host:6379/1?prefix=show.',
    })
  }
  url.search = ''
  return { url: url.href, prefix, description: `${url.protocol}//${url.host}${url.pathname}` }
}

export function unreachable(description: string, cause: unknown): PregenError {
  return new PregenError(
    'E_QUEUE_UNREACHABLE',
    `The queue ${description} cannot be reached: ${messageOf(cause)}`,
    {
      exitCode: 3,
      help: 'Is the server running, and may this machine reach it? For a password write redis://:password@host, or set PREGEN_QUEUE.',
      cause,
    },
  )
}

/** A store that drops keys when it is full would drop jobs. */
async function warnOfEviction(redis: Redis, warn: (code: string, message: string) => void): Promise<void> {
  const policy = /^maxmemory_policy:(\S+)/m.exec(await redis.info('memory'))?.[1]
  if (policy === undefined || policy === 'noeviction') return
  warn(
    'W_QUEUE_EVICTION',
    `the queue drops keys when its memory is full (maxmemory-policy ${policy}): jobs may be lost; set noeviction`,
  )
}
