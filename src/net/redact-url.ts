/** A URL that can be shown: without user name, password, query (presigned URLs keep secrets there) and fragment. */
export function redactUrl(url: string | URL): string {
  if (url instanceof URL || URL.canParse(url)) {
    const { protocol, host, pathname } = new URL(url)
    // Schemes such as data: have all their content in the path.
    return host === '' ? `${protocol}…` : `${protocol}//${host}${pathname}`
  }
  const [shown = ''] = url.split(/[?#]/)
  return shown.replace(/\/\/[^/]*@/, '//')
}
