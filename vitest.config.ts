import { defineConfig } from 'vitest/config'

const report = process.env.PREGEN_TEST_REPORT

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 120_000,
    env: { ORT_DISABLE_TELEMETRY: '1' },
    reporters: report ? ['default', ['json', { outputFile: report }]] : ['default'],
  },
})
