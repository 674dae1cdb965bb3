#!/usr/bin/env node
import { existsSync } from 'node:fs'

// Whatever ends the process early (a promise nobody waits for, an empty event loop) must not look like success.
process.exitCode = 1
// onnxruntime must not phone home; the variable has to stand before its library loads, in workers too.
process.env.ORT_DISABLE_TELEMETRY = '1'
// The SDK's advice on Node versions is for its developers, not for those who render a show.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true'

// Install scripts are off in a clone, so the first call builds; the package has its dist/.
if (!existsSync(new URL('../dist/cli/main.js', import.meta.url))) await import('../scripts/build.mjs')

const { main } = await import('../dist/cli/main.js')
process.exitCode = await main(process.argv.slice(2))
// Nothing may hold a command that is over: no child of a library's, no timer and no socket. Unheld, it ends by itself.
setTimeout(() => process.exit(), 200).unref()
