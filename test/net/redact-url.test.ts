import { expect, it } from 'vitest'
import { redactUrl } from '../../src/net/redact-url.ts'
import fc from '../support/seed.ts'

it.each([
  ['https://a.example/b.png?X-Amz-Signature=secret#secret', 'https://a.example/b.png'],
  ['https://user:secret@a.example:8443/b.png', 'https://a.example:8443/b.png'],
  ['http://[::1]:80/x?secret', 'http://[::1]/x'],
  ['data:image/png;base64,secret', 'data:…'],
  ['//user:secret@host/path?secret', '//host/path'],
  ['not a url?secret', 'not a url'],
  ['', ''],
])('%s', (url, shown) => {
  expect(redactUrl(url)).toBe(shown)
  if (URL.canParse(url)) expect(redactUrl(new URL(url))).toBe(shown)
})

it('never shows a query, a fragment or a password', () => {
  fc.assert(
    fc.property(fc.webUrl({ withQueryParameters: true, withFragments: true }), (url) => {
      const withSecrets = `${url.replace('://', '://u:hunter2@')}${url.includes('?') ? '&' : '?'}k=hunter2`
      expect(redactUrl(withSecrets)).not.toMatch(/hunter2|[?#]/)
    }),
  )
})
