/** Debian's Chromium without a screen, with a profile of its own. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BrowserContext, type BrowserContextOptions, chromium, type Page } from 'playwright-core'

const CHROMIUM = '/usr/bin/chromium'
const FLAGS = [
  ...['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'],
  ...['--disable-component-update', '--disable-sync'],
  // A name that leads to this machine, as a rebound one would.
  '--host-resolver-rules=MAP rebound.example 127.0.0.1',
]

export interface TestBrowser {
  /** A fresh page with a store of its own; everything that it logs as an error is kept. */
  open(options?: BrowserContextOptions): Promise<TestPage>
  close(): Promise<void>
}

export interface TestPage {
  readonly page: Page
  readonly context: BrowserContext
  /** Errors of the console and of scripts, and requests to other hosts. */
  readonly errors: string[]
  readonly foreign: string[]
}

export async function startBrowser(): Promise<TestBrowser> {
  const profile = await mkdtemp(join(tmpdir(), 'pregen-chromium-'))
  const browser = await chromium.launch({
    executablePath: CHROMIUM,
    headless: true,
    args: [...FLAGS, `--crash-dumps-dir=${profile}`],
    env: { ...process.env, HOME: profile, XDG_CONFIG_HOME: profile, XDG_CACHE_HOME: profile },
  })
  return {
    async open(options = {}) {
      const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options })
      const page = await context.newPage()
      const errors: string[] = []
      const foreign: string[] = []
      page.on('console', (message) => {
        if (message.type() === 'error') errors.push(`${message.text()} ${message.location().url}`.trim())
      })
      page.on('pageerror', (error) => errors.push(error.message))
      page.on('request', (request) => {
        const { hostname } = new URL(request.url())
        if (hostname !== '127.0.0.1' && hostname !== '') foreign.push(request.url())
      })
      return { page, context, errors, foreign }
    },
    async close() {
      await browser.close()
      await rm(profile, { recursive: true, force: true })
    },
  }
}
