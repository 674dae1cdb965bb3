/** Texts of servers and libraries, fit to be shown: no query of a presigned url, no name or password in one. */
import { replaceUrls } from './find-urls.ts'

const SIGNED = /\b(X-Amz-(?:Signature|Credential|Security-Token)|AWSAccessKeyId|Signature)=[^\s&"'<>]+/gi
const AUTHORIZATIONS = /\bAWS4-HMAC-SHA256 [^"'\n]*/g
const HEADERS = /\b(authorization|x-amz-security-token)\b\s{0,8}[:=]\s{0,8}[^\n]+/gi

/** @param secrets literal values that must not appear, wherever they stand */
export function redact(text: string, secrets: readonly (string | undefined)[] = []): string {
  let clean = replaceUrls(text, (scheme, rest) => {
    const query = rest.search(/[?#]/)
    const bare = query < 0 ? rest : rest.slice(0, query)
    const slash = bare.indexOf('/')
    const authority = slash < 0 ? bare : bare.slice(0, slash)
    const path = slash < 0 ? '' : bare.slice(slash)
    return scheme + authority.slice(authority.lastIndexOf('@') + 1) + path
  })
    .replace(AUTHORIZATIONS, '…')
    .replace(SIGNED, '$1=…')
    .replace(HEADERS, '$1: …')
  for (const secret of secrets) if (secret && secret.length >= 4) clean = clean.replaceAll(secret, '…')
  return clean
}
