// The exporter's own tests, in Python: npm run test:export. Needs scripts/export/requirements.txt; PYTHON names the interpreter.
import { spawnSync } from 'node:child_process'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const folder = join(dirname(fileURLToPath(import.meta.url)), 'export')
const { PYTHON: python = 'python3', ...env } = process.env
const wanted = [
  'torch',
  'diffusers',
  'transformers',
  'onnx',
  'onnxscript',
  'onnxruntime',
  'peft',
  'ftfy',
  'sentencepiece',
]
const found = spawnSync(python, ['-c', `import ${wanted.join(', ')}`], { encoding: 'utf8' })
if (found.status !== 0) {
  const why = found.error?.message ?? found.stderr.trim().split('\n').at(-1)
  console.error(
    `${python} lacks what the exporter needs (${why}): pip install -r scripts/export/requirements.txt`,
  )
  process.exit(1)
}
const PYTHONPATH = [folder, join(folder, 'tests')].join(delimiter)
const args = [
  '-W',
  'ignore',
  '-m',
  'unittest',
  '-v',
  ...(process.argv.length > 2 ? process.argv.slice(2) : ['test_export', 'test_wan']),
]
const { status } = spawnSync(python, args, { cwd: folder, env: { ...env, PYTHONPATH }, stdio: 'inherit' })
process.exitCode = status ?? 1
