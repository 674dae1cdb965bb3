/** Certificates: who is trusted beside the system's own, and which faults are theirs. */
import { readFileSync } from 'node:fs'
import { rootCertificates } from 'node:tls'
import { errorCode, messageOf, PregenError } from '../errors.ts'

/** Whether a connection failed because of the other side's certificate, which another try cannot mend. */
export function isCertificateFault(error: unknown): boolean {
  const code = errorCode(error) ?? ''
  return /CERT|SELF_SIGNED|^UNABLE_TO_(GET|VERIFY)_/.test(code)
}

export const CERTIFICATE_HELP =
  "If a proxy or a store of your own has an authority of its own, name its certificate (PEM) in NODE_EXTRA_CA_CERTS, or for the bucket in AWS_CA_BUNDLE; if not, somebody may be reading along, or the machine's clock is wrong."

/**
 * What `ca` must be where `AWS_CA_BUNDLE` is set: Node's own roots, those of `NODE_EXTRA_CA_CERTS`, and the bundle's.
 * @throws PregenError `E_CERTIFICATE` for a bundle that cannot be read
 */
export function authoritiesOf(env: Readonly<Record<string, string | undefined>>): string[] | undefined {
  if (!env.AWS_CA_BUNDLE) return undefined
  const files = ['NODE_EXTRA_CA_CERTS', 'AWS_CA_BUNDLE'].flatMap((name) => {
    const path = env[name]
    return path ? [readBundle(name, path)] : []
  })
  return [...rootCertificates, ...files]
}

function readBundle(name: string, path: string): string {
  let text: string
  try {
    text = readFileSync(path, 'latin1')
  } catch (cause) {
    throw badBundle(name, `${path} cannot be read: ${messageOf(cause)}`, cause)
  }
  if (!text.includes('-----BEGIN CERTIFICATE-----')) throw badBundle(name, `${path} holds no certificate`)
  return text
}

function badBundle(name: string, why: string, cause?: unknown): PregenError {
  const help = `Correct ${name}, or take it away.`
  return new PregenError('E_CERTIFICATE', `${name}: ${why}.`, { help, cause })
}
