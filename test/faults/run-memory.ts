/** Memory of a long real run: resident sets of its processes, added up, while it draws, by halves. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { runWhole, tinySheet, writeSheet } from '../support/runs.ts'

export interface RunMemory {
  readonly units: number
  /** Peak of the first quarter after the first tenth, which warms up. */
  readonly earlyBytes: number
  /** Peak of the last quarter. */
  readonly lateBytes: number
  readonly openFiles: number
}

/** Linux: /proc tells a living process's memory and open files. */
export async function watchMemory(folder: string, units: number): Promise<RunMemory> {
  const seeds = Array.from({ length: units }, (_, i) => i + 1)
  const sheet = await writeSheet(
    folder,
    tinySheet({
      programs: { P1: { previews: { method: 'latent2rgb', size: 'image' } } },
      cues: { dawn: { program: 'P1', prompt: 'misty mountains', seeds } },
    }),
  )
  const samples: { finished: number; bytes: number; files: number }[] = []
  let finished = 0
  const looks: Promise<void>[] = []
  await runWhole(sheet, join(folder, 'out'), ['--dry-run'], {
    onStdout(text, { pid }) {
      finished += text.split('"type":"unit-finished"').length - 1
      const at = finished
      looks.push(
        statusOfTree(pid ?? 0).then(
          (contents) => {
            const kib = contents.map((content) => Number(/VmRSS:\s+(\d+)/.exec(content)?.[1] ?? 0))
            const files = contents.map((content) => Number(/FDSize:\s+(\d+)/.exec(content)?.[1] ?? 0))
            // While the inference process starts or has ended, the sum is not the run's.
            if (kib.length !== 2 || kib.includes(0)) return
            const bytes = kib.reduce((sum, one) => sum + one * 1024, 0)
            samples.push({ finished: at, bytes, files: Math.max(...files) })
          },
          // The process has ended between its last words and this look.
          () => undefined,
        ),
      )
    },
  })
  await Promise.all(looks)
  const peak = (from: number, to: number) =>
    Math.max(
      ...samples
        .filter((one) => one.finished >= from * units && one.finished <= to * units)
        .map(({ bytes }) => bytes),
    )
  return {
    units,
    earlyBytes: peak(0.1, 0.35),
    lateBytes: peak(0.75, 1),
    openFiles: Math.max(...samples.map(({ files }) => files)),
  }
}

/** The status of a process and of the ones that it has started. */
async function statusOfTree(pid: number): Promise<readonly string[]> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')
  const pids = [
    pid,
    ...children
      .trim()
      .split(' ')
      .filter((word) => word !== ''),
  ]
  return await Promise.all(pids.map((one) => readFile(`/proc/${one}/status`, 'utf8')))
}
