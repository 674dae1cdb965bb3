// `npm test`: installs what tests need, then lint, types, build and the tests. The last line tells the figures.
// `npm test -- test/plan` runs those files alone.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { installTestNeeds, motoBin } from './test-needs.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const bin = (name) => join(root, 'node_modules/.bin', name)
const scratch = mkdtempSync(join(tmpdir(), 'pregen-report-'))
const report = join(scratch, 'report.json')

// Node's own, the page against the DOM, and the browser's tests against both.
const TYPES = ['tsconfig.json', 'tsconfig.page.json', 'tsconfig.browser.json']

const problems = installTestNeeds()
const env = {
  ...process.env,
  PATH: [process.env.PATH, motoBin, '/usr/sbin', '/sbin'].filter(Boolean).join(delimiter),
  PREGEN_TEST_REPORT: report,
}
const run = (command, ...args) => spawnSync(command, args, { cwd: root, env, stdio: 'inherit' }).status ?? 1

try {
  const checks = [
    ['lint', () => run(bin('biome'), 'check', '.')],
    ['types', () => TYPES.reduce((failed, config) => failed || run(bin('tsc'), '-p', config, '--noEmit'), 0)],
    ['build', () => run(process.execPath, join(root, 'scripts/build.mjs'))],
  ]
  const broken = checks.find(([, check]) => check() !== 0)
  if (broken) {
    console.log(`${broken[0]} failed; no test was run`)
    console.log('0 passed, 1 failed')
    process.exitCode = 1
  } else {
    const tests = run(bin('vitest'), 'run', ...process.argv.slice(2))
    for (const problem of problems) console.log(`tests: ${problem}`)
    const count = run(process.execPath, join(root, 'scripts/count-tests.mjs'), report)
    process.exitCode = tests || count
  }
} finally {
  rmSync(scratch, { recursive: true, force: true })
}
