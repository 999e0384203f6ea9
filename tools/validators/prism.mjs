// Stands before a server that plays GitHub, and holds what is asked and answered against GitHub's description:
// prism MODULES DESCRIPTION UPSTREAM. It takes a free port, says which, and ends with its standard input.
import { createRequire } from 'node:module'

const [modules, description, upstream] = process.argv.slice(2)
process.stdin.resume().on('end', () => process.exit())

const require = createRequire(`${modules}/`)
const { getHttpOperationsFromSpec } = require('@stoplight/prism-http')
const { createServer } = require('@stoplight/prism-http-server')
const { createLogger } = require('@stoplight/prism-core')

const server = createServer(await getHttpOperationsFromSpec(description), {
  cors: false,
  config: {
    isProxy: true,
    upstream: new URL(upstream),
    upstreamProxy: undefined,
    // What `prism proxy --errors` sets: a violation is answered as an error.
    errors: true,
    validateRequest: true,
    validateResponse: true,
    checkSecurity: true,
    mock: { dynamic: false },
  },
  components: { logger: createLogger('prism', { level: 'silent' }) },
})
console.log(await server.listen(0, '127.0.0.1'))
