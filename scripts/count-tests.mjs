// Ends a CI log with the plain true figures of the test report that vitest wrote: `N passed, N failed`.
import { readFileSync } from 'node:fs'

let passed = 0
let failed = 0
try {
  const report = JSON.parse(readFileSync(process.argv[2], 'utf8'))
  passed = report.numPassedTests
  // A file that could not even be collected counts as a failure, and so does a test that was skipped.
  const brokenFiles = report.testResults.filter(
    (file) => file.status === 'failed' && file.assertionResults.length === 0,
  )
  failed = report.numFailedTests + report.numPendingTests + report.numTodoTests + brokenFiles.length
} catch (error) {
  console.error(`no test report: ${error.message}`)
  failed = 1
}
if (passed === 0) failed ||= 1
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
