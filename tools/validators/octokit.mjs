// Speaks to GitHub's API as most actions do, with GitHub's own library: octokit MODULES ADDRESS TOKEN
// Reads [[route, parameters], ...] and prints what came of each.
import { pathToFileURL } from 'node:url'
import { readFileSync } from 'node:fs'

const [modules, baseUrl, token] = process.argv.slice(2)
const { request } = await import(pathToFileURL(`${modules}/@octokit/request/dist-bundle/index.js`).href)
const said = []
for (const [route, parameters] of JSON.parse(readFileSync(0, 'utf8'))) {
  try {
    const { status, data, headers } = await request(route, { baseUrl, headers: { authorization: `token ${token}` }, ...parameters })
    said.push({ status, data, headers })
  } catch (error) {
    said.push({ status: error.status, message: error.message, data: error.response?.data, headers: error.response?.headers })
  }
}
console.log(JSON.stringify(said))
