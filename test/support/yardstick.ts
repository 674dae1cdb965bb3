/** How fast the machine is just now: limits are multiples of a fixed piece of work, measured beside what they limit. */
import { createHash } from 'node:crypto'

/** Planning 10,000 units takes a second of a quiet processor at most, which is this many yardsticks. */
export const PLAN_YARDSTICKS = 30

/** Ms of processor time of 10,000 small objects, each written as JSON, read again and hashed; the best of three. */
export function yardstickMs(): number {
  return Math.min(...Array.from({ length: 3 }, () => cpuMsOf(measure)))
}

/** Ms of processor time that work of this process takes. */
export function cpuMsOf(work: () => void): number {
  const before = process.cpuUsage()
  work()
  return cpuMsSince(before)
}

/**
 * How many yardsticks work takes, the best of eight: the first ones are the compiler's, which on a busy machine is
 * late, and the yardstick is laid beside each, so that what slows the machine down slows both.
 */
export async function yardsticksOf(work: () => unknown): Promise<number> {
  const [works, yardsticks]: [number[], number[]] = [[], []]
  for (let i = 0; i < 8; i++) {
    const before = process.cpuUsage()
    await work()
    works.push(cpuMsSince(before))
    yardsticks.push(yardstickMs())
  }
  return Math.min(...works) / Math.min(...yardsticks)
}

function cpuMsSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000
}

function measure(): void {
  for (let i = 0; i < 10_000; i++) {
    const text = JSON.stringify({ cue: `cue-${i}`, prompt: `hill number ${i}`, seed: i, size: [128, 128] })
    createHash('sha256')
      .update(JSON.stringify(JSON.parse(text)))
      .digest('hex')
  }
}
