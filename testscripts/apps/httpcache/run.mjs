// Runs http-cache-tests through the cache at the URL given, and compares what
// fails with accepted.json: ID of a test to the reason why it may fail. Tests
// of the kind "check" are neither right nor wrong.
import fs from 'fs'
import fetch from 'node-fetch'
import { runTests, getResults } from 'http-cache-tests/client/runner.mjs'
import suites from 'http-cache-tests/tests/index.mjs'

const accepted = JSON.parse(fs.readFileSync(new URL('accepted.json', import.meta.url)))
const [url, id] = process.argv.slice(2)
const log = console.log
if (!id) console.log = () => {} // the client is chatty

await runTests(id ? pick(id) : suites, fetch, false, url)
const results = getResults()
const tests = suites.flatMap(s => s.tests).filter(t => t.kind !== 'check' && t.id in results)
const failed = tests.filter(t => results[t.id] !== true)
const surprises = failed.filter(t => !(t.id in accepted))
const stale = tests.filter(t => results[t.id] === true && t.id in accepted)
for (const t of surprises) log(`failed: ${t.id} (${t.kind || 'required'}): ${results[t.id].join(': ')}`)
for (const t of stale) log(`passes, but is in accepted.json: ${t.id}`)
log(`${tests.length} tests, ${failed.length - surprises.length} accepted, ${surprises.length} failed, ${stale.length} stale`)
process.exit(surprises.length + stale.length > 0 ? 1 : 0)

function pick (id) {
  return suites.map(s => ({ ...s, tests: s.tests.filter(t => t.id === id).map(t => ({ ...t, dump: true })) }))
}
