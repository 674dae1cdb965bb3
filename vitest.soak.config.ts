import { defineConfig } from 'vitest/config'

/** The promises about faults with their full counts; `npm test` runs the same functions with small ones. */
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
