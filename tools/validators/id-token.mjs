// Asks for an id token as actions do, with GitHub's own library: id-token MODULES AUDIENCE
import { pathToFileURL } from 'node:url'

const [modules, audience] = process.argv.slice(2)
const { getIDToken } = await import(pathToFileURL(`${modules}/@actions/core/lib/core.js`).href)
const token = await getIDToken(audience || undefined)
// The library prints a command that masks the token; so the token has a line of its own.
console.log(`\ntoken ${token}`)
