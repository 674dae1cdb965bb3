/** Who signs: the AWS tools' own chain of credentials, with an end to its waiting and one message for what is wrong. */
import type { DefaultProviderInit } from '@aws-sdk/credential-provider-node'
import { messageOf, PregenError } from '../errors.ts'
import { DeadlineError, withDeadline } from '../net/deadline.ts'
import { redact } from './redact.ts'
import { defaultProvider, loadSharedConfigFiles } from './sdk.ts'

type Env = Readonly<Record<string, string | undefined>>
type Profiles = Readonly<Record<string, Readonly<Record<string, string | undefined>> | undefined>>

/** No request is sent with these as they are; a profile's name may have blanks within it. */
const VALUES = [
  'AWS_ACCESS_KEY_ID',
  'AWS_SECRET_ACCESS_KEY',
  'AWS_SESSION_TOKEN',
  'AWS_REGION',
  'AWS_DEFAULT_REGION',
]

/** @throws PregenError `E_CREDENTIALS_MALFORMED` naming the variable that holds a blank or a line break */
function checkCredentialVariables(env: Env): void {
  for (const name of [...VALUES, 'AWS_PROFILE']) {
    const value = env[name]
    if (!value) continue
    const stray =
      name === 'AWS_PROFILE' ? /^\s|\s$|[^\x20-\x7e\x80-\uffff]/.exec(value) : /[^\x21-\x7e]/.exec(value)
    if (!stray) continue
    throw new PregenError('E_CREDENTIALS_MALFORMED', `${name} holds ${nameOf(stray[0])}.`, {
      help: `Set ${name} again without it: a value read from a file often ends with a line break.`,
    })
  }
}

function nameOf(character: string): string {
  if (character === '\n') return 'a line break'
  if (character === '\r') return 'a carriage return'
  if (/\s/.test(character)) return 'a blank'
  return 'a character that none can have'
}

/** The chain of credentials for an `S3Client`'s `credentialDefaultProvider`. */
export function createCredentials(init: DefaultProviderInit, env: Env, timeoutMs: number) {
  const chain = defaultProvider(init)
  let isChecked = false
  return async (properties?: Parameters<typeof chain>[0]) => {
    if (!isChecked) {
      checkCredentialVariables(env)
      await checkProfile(env)
      isChecked = true
    }
    try {
      return await withDeadline(timeoutMs, undefined, () => chain(properties))
    } catch (error) {
      throw await explain(error, env, timeoutMs)
    }
  }
}

async function readProfiles(): Promise<Profiles> {
  const { configFile, credentialsFile } = await loadSharedConfigFiles()
  const names = new Set([...Object.keys(configFile), ...Object.keys(credentialsFile)])
  return Object.fromEntries(
    [...names].map((name) => [name, { ...configFile[name], ...credentialsFile[name] }]),
  )
}

/** Names that lead nowhere, told before anything is waited for. */
async function checkProfile(env: Env): Promise<void> {
  if (!env.AWS_PROFILE) return
  const profiles = await readProfiles()
  const files = `${env.AWS_CONFIG_FILE ?? '~/.aws/config'} and ${env.AWS_SHARED_CREDENTIALS_FILE ?? '~/.aws/credentials'}`
  if (!profiles[env.AWS_PROFILE]) {
    throw noCredentials(
      `AWS_PROFILE names the profile "${env.AWS_PROFILE}", which is not in ${files}`,
      'Correct AWS_PROFILE, or add the profile (aws configure --profile NAME).',
    )
  }
  const seen = new Set<string>()
  for (let name: string | undefined = env.AWS_PROFILE; name !== undefined && !seen.has(name); ) {
    seen.add(name)
    const source: string | undefined = profiles[name]?.source_profile
    if (source !== undefined && !profiles[source]) {
      throw noCredentials(
        `the profile "${name}" has the source_profile "${source}", which is not in ${files}`,
        'Correct source_profile, or add that profile.',
      )
    }
    name = source
  }
}

async function explain(error: unknown, env: Env, timeoutMs: number): Promise<PregenError> {
  if (error instanceof PregenError) return error
  const name = env.AWS_PROFILE ?? 'default'
  const profile = (await readProfiles().catch((): Profiles => ({})))[name]
  const isLate = error instanceof DeadlineError
  const secrets = [env.AWS_SECRET_ACCESS_KEY, env.AWS_SESSION_TOKEN]
  const detail = isLate
    ? `no answer within ${timeoutMs / 1000} s`
    : redact(messageOf(error).split('\n', 1)[0]?.slice(0, 300) ?? '', secrets)
  const whose = `of the profile "${name}"${env.AWS_PROFILE ? ' (AWS_PROFILE)' : ''}`
  if (profile?.credential_process !== undefined) {
    const help = 'Run the command of credential_process by hand: it must print the JSON that AWS documents.'
    return noCredentials(`the credential_process ${whose} gives no credentials: ${detail}`, help, error)
  }
  if (profile?.sso_session !== undefined || profile?.sso_start_url !== undefined) {
    const what = `the SSO session ${whose} gives no credentials: ${detail}`
    return new PregenError('E_EXPIRED_KEY', what, {
      help: `Sign in: aws sso login --profile ${name}`,
      cause: error,
    })
  }
  const pair = ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'] as const
  const missing = pair.filter((variable) => !env[variable])
  if (missing.length === 1) {
    const [one] = missing
    const other = pair.find((variable) => variable !== one)
    return noCredentials(`${other} is set and ${one} is not`, `Set ${one} too.`, error)
  }
  const source = env.AWS_PROFILE ? ` by the profile "${name}" (AWS_PROFILE)` : ''
  return noCredentials(`no credentials for the bucket were found${source}: ${detail}`, undefined, error)
}

function noCredentials(message: string, help?: string, cause?: unknown): PregenError {
  return new PregenError('E_NO_CREDENTIALS', message, {
    help:
      help ?? 'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or give the machine a role.',
    cause: cause === undefined ? undefined : new Error(messageOf(cause).slice(0, 300)),
  })
}
