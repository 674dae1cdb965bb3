/** `storage` and `callback`: addresses are checked here, reached elsewhere. */
import { formatPath, type SheetPath } from './faults.ts'
import { findIdFault } from './ids.ts'
import type { LayerContext } from './layer-context.ts'
import type { SheetInput } from './schema.ts'
import type { SheetCallback, SheetStorage } from './sheet.ts'

const DEFAULT_CONCURRENCY = 16
const DEFAULT_SECRET_ENV = 'PREGEN_CALLBACK_SECRET'

export function readStorage(input: SheetInput['storage'], context: LayerContext): SheetStorage | null {
  if (input == null) return null
  checkBucket(input.bucket, context)
  if (input.endpoint !== undefined)
    checkUrl(input.endpoint, ['storage', 'endpoint'], 'E_ENDPOINT_INVALID', context)
  if (input.public_url !== undefined)
    checkUrl(input.public_url, ['storage', 'public_url'], 'E_BAD_PUBLIC_URL', context)
  const prefix = (input.prefix ?? '').replace(/^\/+|\/+$/g, '')
  if (prefix !== '') checkSegments(prefix, ['storage', 'prefix'], 'E_BAD_PREFIX', context)
  return {
    bucket: input.bucket,
    endpoint: input.endpoint,
    region: input.region,
    prefix,
    concurrency: input.concurrency ?? DEFAULT_CONCURRENCY,
    publicUrl: input.public_url?.replace(/\/+$/, ''),
    forcePathStyle: input.force_path_style,
  }
}

export function readCallback(input: SheetInput['callback'], context: LayerContext): SheetCallback | null {
  if (input == null) return null
  const { url, on, secret_env, job_id } = typeof input === 'string' ? { url: input } : { ...input }
  const path = typeof input === 'string' ? ['callback'] : ['callback', 'url']
  checkUrl(url, path, 'E_CALLBACK_URL', context)
  const location = context.doc.locate(path)
  return { url, on: on ?? 'run', secretEnv: secret_env ?? DEFAULT_SECRET_ENV, jobId: job_id, location }
}

function checkBucket(bucket: string, { doc, faults }: LayerContext): void {
  if (/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(bucket)) return
  const path = ['storage', 'bucket']
  const help = 'A bucket has letters, digits, ".", "-" and "_". Folders inside it go into "prefix".'
  faults.add('E_BAD_BUCKET', doc.locate(path), `storage.bucket is ${doc.written(path)}.`, help)
}

/** Every part between slashes must be a name; used for `root` and `storage.prefix`. */
export function checkSegments(
  value: string,
  path: SheetPath,
  code: string,
  { doc, faults }: LayerContext,
): void {
  for (const segment of value.split('/')) {
    const fault = findIdFault(segment, false)
    if (!fault) continue
    const message = `${formatPath(path)} is ${doc.written(path)}: the part ${JSON.stringify(segment)} ${fault.why}.`
    faults.add(code, doc.locate(path), message, fault.help)
    return
  }
}

/** https anywhere; http on this machine only, where nothing is sent over a wire. */
function checkUrl(value: string, path: SheetPath, code: string, { doc, faults }: LayerContext): void {
  // Logs are read by others than the sheet: no password, no signed query.
  const report = (why: string, help: string, itsCode = code): void => {
    const shown = (doc.written(path) ?? JSON.stringify(value))
      .replace(/\/\/[^/"']*@/, '//…@')
      .replace(/\?[^"']*/, '?…')
    faults.add(itsCode, doc.locate(path), `${formatPath(path)} is ${shown}${why}`, help)
  }
  const url = URL.canParse(value) ? new URL(value) : undefined
  if (url === undefined || !['https:', 'http:'].includes(url.protocol)) {
    report(', which is no web address.', 'It must begin with https://.')
  } else if (url.username !== '' || url.password !== '') {
    report('.', 'Take the user name and password out of it: secrets come from the environment.')
  } else if (url.protocol === 'http:' && !isLoopback(url.hostname)) {
    const help = 'Use https://. Only this machine itself may be http://.'
    report(', which is not encrypted.', help, code === 'E_ENDPOINT_INVALID' ? 'E_INSECURE_ENDPOINT' : code)
  }
}

function isLoopback(host: string): boolean {
  return (
    host === 'localhost' || host.endsWith('.localhost') || host === '[::1]' || /^127(\.\d+){3}$/.test(host)
  )
}
