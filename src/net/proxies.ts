/** The way out through a proxy, where HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY say so, as other tools read them. */
import type http from 'node:http'
import type { AgentOptions } from 'node:https'
import { HttpProxyAgent } from 'http-proxy-agent'
import { HttpsProxyAgent } from 'https-proxy-agent'
import { getProxyForUrl } from 'proxy-from-env'
import { PregenError } from '../errors.ts'

export type ProxyOptions = Pick<AgentOptions, 'keepAlive' | 'maxSockets' | 'ca'>

/**
 * An agent for a URL that goes through a proxy; undefined: nothing stands between. The proxy resolves the name.
 * @throws PregenError `E_PROXY_INVALID`
 */
export function proxyAgentFor(url: URL, options: ProxyOptions): http.Agent | undefined {
  const proxy = getProxyForUrl(url.href)
  if (proxy === '') return undefined
  if (!URL.canParse(proxy) || !/^https?:$/.test(new URL(proxy).protocol)) {
    throw new PregenError(
      'E_PROXY_INVALID',
      'The proxy that the environment names is no http or https URL.',
      {
        help: 'Correct HTTPS_PROXY, HTTP_PROXY or ALL_PROXY, or except the host in NO_PROXY.',
      },
    )
  }
  const { ca, ...pool } = options
  return url.protocol === 'https:' ? new Tunnel(proxy, ca, pool) : new HttpProxyAgent(proxy, pool)
}

/** The authorities given are for the host at the tunnel's end. */
class Tunnel extends HttpsProxyAgent<string> {
  readonly #ca: AgentOptions['ca']

  constructor(proxy: string, ca: AgentOptions['ca'], pool: ProxyOptions) {
    super(proxy, pool)
    this.#ca = ca
  }

  override connect(
    request: http.ClientRequest,
    options: Parameters<HttpsProxyAgent<string>['connect']>[1],
  ): ReturnType<HttpsProxyAgent<string>['connect']> {
    return super.connect(request, options.secureEndpoint ? { ...options, ca: this.#ca } : options)
  }
}
