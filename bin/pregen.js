#!/usr/bin/env node
// Whatever ends the process early (a promise nobody waits for, an empty event loop) must not look like success.
process.exitCode = 1
// onnxruntime must not phone home; the variable has to stand before its library loads, in workers too.
process.env.ORT_DISABLE_TELEMETRY = '1'

const { main } = await import('../dist/cli/main.js')
process.exitCode = await main(process.argv.slice(2))
