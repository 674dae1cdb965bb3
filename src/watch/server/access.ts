/** Who may ask the server: a token, the host that was meant, and no page of another origin. Pure. */
import { createHash, timingSafeEqual } from 'node:crypto'
import { isIP } from 'node:net'

export interface AccessRules {
  readonly token: string
  /** Cookies know no ports: the name does. */
  readonly cookieName: string
  /** Names that the server is asked by, beside addresses and localhost. */
  readonly hosts: readonly string[]
  /** Origins, such as `https://show.example`, whose pages may ask. */
  readonly origins: readonly string[]
}

export interface AccessRequest {
  readonly host: string | undefined
  readonly origin: string | undefined
  readonly authorization: string | undefined
  readonly cookie: string | undefined
  /** Of `?token=`. */
  readonly queryToken?: string | undefined
}

export type Access =
  | { readonly allowed: true; readonly origin: string | null }
  | { readonly allowed: false; readonly status: 401 | 403; readonly why: string }

/**
 * A browser tells the host that it believes to ask (a rebound name shows there) and the origin of the page that asks;
 * the token tells that the asker was let in.
 */
export function judgeAccess(request: AccessRequest, rules: AccessRules): Access {
  if (!isKnownHost(request.host, rules.hosts)) {
    return {
      allowed: false,
      status: 403,
      why: `the host ${JSON.stringify(request.host ?? '')} is not this server`,
    }
  }
  const { origin } = request
  const isOwn =
    origin === undefined || origin === `http://${request.host}` || origin === `https://${request.host}`
  const isAllowed = origin !== undefined && rules.origins.includes(origin)
  if (!isOwn && !isAllowed) {
    return {
      allowed: false,
      status: 403,
      why: `pages of ${JSON.stringify(origin)} may not ask (--allow-origin)`,
    }
  }
  if (!tokensOf(request, rules.cookieName).some((token) => isSame(token, rules.token))) {
    return { allowed: false, status: 401, why: 'the token is missing or wrong' }
  }
  return { allowed: true, origin: isAllowed ? origin : null }
}

/** `localhost:4747`, an address with a port, or a name that the server was told. */
export function isKnownHost(host: string | undefined, names: readonly string[]): boolean {
  const name = hostnameOf(host)
  return name !== null && (name === 'localhost' || isIP(name) !== 0 || names.includes(name))
}

function hostnameOf(host: string | undefined): string | null {
  if (host === undefined || host === '' || /[\s/@?#\\]/.test(host) || !URL.canParse(`http://${host}`))
    return null
  return new URL(`http://${host}`).hostname.replace(/^\[|\]$/g, '')
}

function tokensOf({ authorization, cookie, queryToken }: AccessRequest, name: string): readonly string[] {
  const bearer = authorization?.startsWith('Bearer ') ? [authorization.slice(7).trim()] : []
  const cookies = (cookie ?? '').split(';').flatMap((pair) => {
    const at = pair.indexOf('=')
    return at > 0 && pair.slice(0, at).trim() === name ? [pair.slice(at + 1).trim()] : []
  })
  return [...bearer, ...cookies, ...(queryToken === undefined ? [] : [queryToken])]
}

/** Hashes of equal length, so that time tells neither content nor length. */
function isSame(left: string, right: string): boolean {
  const hash = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(hash(left), hash(right))
}
