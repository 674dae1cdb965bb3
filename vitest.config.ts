import { defineConfig } from 'vitest/config'

const report = process.env.PREGEN_TEST_REPORT

const common = {
  pool: 'forks',
  testTimeout: 60_000,
  hookTimeout: 120_000,
  env: { ORT_DISABLE_TELEMETRY: '1' },
} as const

export default defineConfig({
  test: {
    maxWorkers: 2,
    reporters: report ? ['default', ['json', { outputFile: report }]] : ['default'],
    projects: [
      {
        test: {
          ...common,
          name: 'node',
          include: ['test/**/*.test.ts'],
          exclude: ['test/browser/**'],
          sequence: { groupOrder: 0 },
        },
      },
      {
        // One file after the other, when all else is done: these look at clocks.
        test: {
          ...common,
          name: 'browser',
          include: ['test/browser/**/*.test.ts'],
          maxWorkers: 1,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
})
