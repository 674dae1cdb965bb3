import { execFileSync } from 'node:child_process'
import { pathToFileURL } from 'node:url'
import { expect, test } from 'vitest'

const MIB = 2 ** 20
const room = pathToFileURL('dist/modules/engine/collect-young.js').href

/** In a process of its own, where nothing else makes V8 collect: MiB outside the heap once 20 were dropped. */
function mibAfterDropping(then: string): number {
  const script = `
    const { collectYoung } = await import(${JSON.stringify(room)})
    const held = new Uint8Array(${MIB}).fill(3)
    for (let i = 0; i < 5; i++) new Uint8Array(${4 * MIB}).fill(1)
    ${then}
    // V8 frees what it found on a thread of its own.
    await new Promise((resolve) => setTimeout(resolve, 100))
    if (held[7] !== 3 || globalThis.gc !== undefined) throw new Error('held memory went, or the collector is a global')
    console.log(process.memoryUsage().arrayBuffers / ${MIB})`
  return Number(execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' }))
}

test('pictures that are done with are collected, and what is held stays', () => {
  expect(mibAfterDropping('')).toBeGreaterThan(20)
  // The last one may still be in V8's hands.
  expect(mibAfterDropping('collectYoung()')).toBeLessThan(6)
})
