/** `storage` and `callback`: addresses are checked here, reached elsewhere. */
import type { ErrorCode } from '../error-codes.ts'
import { isLoopbackHost } from '../net/addresses.ts'
import { trimEndOf, trimOf } from '../trim.ts'
import { formatPath, quoteName, quoteWritten, type SheetPath } from './faults.ts'
import { findIdFault } from './ids.ts'
import type { LayerContext } from './layer-context.ts'
import type { SheetInput } from './schema.ts'
import type { SheetCallback, SheetStorage } from './sheet.ts'
import { howToAllow, maySign } from './variables.ts'

const DEFAULT_CONCURRENCY = 16
const DEFAULT_SECRET_ENV = 'PREGEN_CALLBACK_SECRET'

export function readStorage(input: SheetInput['storage'], context: LayerContext): SheetStorage | null {
  if (input == null) return null
  checkBucket(input.bucket, context)
  if (input.endpoint !== undefined) checkEndpoint(input.endpoint, input, context)
  if (input.public_url !== undefined)
    checkUrl(input.public_url, ['storage', 'public_url'], 'E_BAD_PUBLIC_URL', context)
  const prefix = trimOf(input.prefix ?? '', '/')
  if (prefix !== '') checkSegments(prefix, ['storage', 'prefix'], 'E_BAD_PREFIX', context)
  return {
    bucket: input.bucket,
    endpoint: input.endpoint,
    region: input.region,
    prefix,
    concurrency: input.concurrency ?? DEFAULT_CONCURRENCY,
    publicUrl: input.public_url === undefined ? undefined : trimEndOf(input.public_url, '/'),
    forcePathStyle: input.force_path_style,
  }
}

export function readCallback(input: SheetInput['callback'], context: LayerContext): SheetCallback | null {
  if (input == null) return null
  const { url, on, secret_env, job_id } = typeof input === 'string' ? { url: input } : { ...input }
  const path = typeof input === 'string' ? ['callback'] : ['callback', 'url']
  checkUrl(url, path, 'E_CALLBACK_URL', context)
  if (secret_env !== undefined && !maySign(secret_env, context.allowedVariables)) {
    const at = ['callback', 'secret_env']
    const message = `callback.secret_env is ${quoteName(secret_env)}, which a sheet may not use.`
    context.faults.add('E_ENV_NOT_ALLOWED', context.doc.locate(at), message, howToAllow(secret_env))
  }
  const locate = () => context.doc.locate(path)
  return { url, on: on ?? 'run', secretEnv: secret_env ?? DEFAULT_SECRET_ENV, jobId: job_id, locate }
}

function checkBucket(bucket: string, { doc, faults }: LayerContext): void {
  if (/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(bucket)) return
  const path = ['storage', 'bucket']
  const help = 'A bucket has letters, digits, ".", "-" and "_". Folders inside it go into "prefix".'
  faults.add(
    'E_BAD_BUCKET',
    doc.locate(path),
    `storage.bucket is ${quoteWritten(doc.written(path) ?? bucket)}.`,
    help,
  )
}

/** Every part between slashes must be a name; used for `root` and `storage.prefix`. */
export function checkSegments(
  value: string,
  path: SheetPath,
  code: ErrorCode,
  { doc, faults }: LayerContext,
): void {
  for (const segment of value.split('/')) {
    const fault = findIdFault(segment, false)
    if (!fault) continue
    const shown = quoteWritten(doc.written(path) ?? value)
    const part = shown.includes('${') ? 'a part of it' : `the part ${quoteName(segment)}`
    const message = `${formatPath(path)} is ${shown}: ${part} ${fault.why}.`
    faults.add(code, doc.locate(path), message, fault.help)
    return
  }
}

/** An address of the service alone: buckets, and folders in them, have keys of their own. */
function checkEndpoint(
  value: string,
  input: NonNullable<SheetInput['storage']>,
  context: LayerContext,
): void {
  const path = ['storage', 'endpoint']
  checkUrl(value, path, 'E_ENDPOINT_INVALID', context)
  const url = URL.canParse(value) ? new URL(value) : undefined
  if (url === undefined || url.username !== '' || url.password !== '') return
  const { bucket } = input
  const { doc, faults } = context
  const report = (why: string, help: string) =>
    faults.add('E_ENDPOINT_INVALID', doc.locate(path), `storage.endpoint ${why}.`, help)
  // Help may quote the sheet, but not what a variable of the environment holds.
  const isShown = () => doc.written(path)?.includes(url.host) ?? false
  const folders = url.pathname.split('/').filter((part) => part !== '')
  const inBucket = folders[0] === bucket ? folders.slice(1).join('/') : ''
  if (folders.length > 0) {
    const prefix = inBucket === '' ? '' : ` and "prefix: ${inBucket}"`
    const right = isShown() ? `Write "endpoint: ${url.origin}"${prefix}` : 'Leave the path away'
    const why = folders[0] === bucket ? "holds the bucket's name" : 'has a path'
    report(why, `${right}: the bucket, and a folder in it, have keys of their own.`)
  } else if (url.hostname.startsWith(`${bucket}.`) && input.force_path_style !== true) {
    const rest = `${url.protocol}//${url.host.slice(bucket.length + 1)}`
    const right = isShown() ? `Write "endpoint: ${rest}".` : "Leave the bucket's name away."
    report(
      "holds the bucket's name",
      `${right} If the store's own name begins so, say "force_path_style: true".`,
    )
  }
}

/** https anywhere; http on this machine only, where nothing is sent over a wire. */
function checkUrl(value: string, path: SheetPath, code: ErrorCode, { doc, faults }: LayerContext): void {
  // Logs are read by others than the sheet: no password, no signed query.
  const report = (why: string, help: string, itsCode = code): void => {
    const shown = quoteWritten(doc.written(path) ?? value)
      .replace(/\/\/[^/"']*@/, '//…@')
      .replace(/\?[^"']*/, '?…')
    faults.add(itsCode, doc.locate(path), `${formatPath(path)} is ${shown}${why}`, help)
  }
  const url = URL.canParse(value) ? new URL(value) : undefined
  if (url === undefined || !['https:', 'http:'].includes(url.protocol)) {
    report(', which is no web address.', 'It must begin with https://.')
  } else if (url.username !== '' || url.password !== '') {
    report('.', 'Take the user name and password out of it: secrets come from the environment.')
  } else if (url.protocol === 'http:' && !isLoopbackHost(url.hostname)) {
    const help = 'Use https://. Only this machine itself may be http://.'
    report(', which is not encrypted.', help, code === 'E_ENDPOINT_INVALID' ? 'E_INSECURE_ENDPOINT' : code)
  }
}
