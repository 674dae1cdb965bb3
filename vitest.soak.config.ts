import { defineConfig } from 'vitest/config'

/** The promises of docs/reliability.md with their full counts: hours of faults, half an hour of clock. */
export default defineConfig({
  test: {
    include: ['test/soak/**/*.soak.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 3_600_000,
    hookTimeout: 300_000,
    env: { ORT_DISABLE_TELEMETRY: '1' },
    reporters: ['verbose'],
  },
})
