/**
 * Which environment variables a sheet may read. A sheet may come from anyone, and the environment of a CI system
 * holds tokens: what is not on the list is a fault, whether or not it is set.
 */

/** Names beside `PREGEN_*` that the sheet may read; `all` for a sheet that is trusted with everything. */
export type AllowedVariables = readonly string[] | 'all'

const OWN_PREFIX = 'PREGEN_'

/** Last letters of a part of a name that holds a secret: `PREGEN_CALLBACK_SECRET`, `PREGEN_HUB_APITOKEN`. */
const SECRET_ENDINGS = [
  ...['SECRET', 'TOKEN', 'PASSWORD', 'PASSWD', 'PASSPHRASE', 'CREDENTIAL', 'KEY', 'PAT', 'PIN', 'AUTH'],
  ...['SIGNATURE', 'COOKIE', 'SESSION', 'PRIVATE'],
]

/** Our own variables whose names do not tell that they may hold a password: the address of the queue. */
const SECRET_NAMES: ReadonlySet<string> = new Set(['PREGEN_QUEUE'])

/** Whether the value of `name` may become part of what the sheet says. */
export function mayRead(name: string, allowed: AllowedVariables): boolean {
  if (allowed === 'all' || allowed.includes(name)) return true
  return name.startsWith(OWN_PREFIX) && !soundsSecret(name)
}

/** Whether `name` may sign the sheet's callback, which shows a digest made with the value and never the value. */
export function maySign(name: string, allowed: AllowedVariables): boolean {
  return allowed === 'all' || allowed.includes(name) || name.startsWith(OWN_PREFIX)
}

function soundsSecret(name: string): boolean {
  // On Windows, names are the same whatever their case.
  const own = name.toUpperCase()
  if (SECRET_NAMES.has(own)) return true
  return own
    .split('_')
    .some((part) => SECRET_ENDINGS.some((ending) => part.endsWith(ending) || part.endsWith(`${ending}S`)))
}

/** What to do about a name that is refused. */
export function howToAllow(name: string): string {
  const why = name.startsWith(OWN_PREFIX)
    ? 'It sounds like a secret, or may hold one.'
    : `A sheet may read ${OWN_PREFIX}* only.`
  return `${why} Give --env ${name} to allow it, or --env-all for a sheet that you trust with everything.`
}
