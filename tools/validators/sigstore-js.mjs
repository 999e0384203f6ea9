// Verifies a Sigstore bundle about an image with sigstore-js, offline: sigstore-js MODULES BUNDLE TRUSTED_ROOT DIGEST IDENTITY
// ISSUER [no-log]. Prints the statement's predicate type, or why the bundle is refused and ends with 1. With no-log neither
// the statement nor the certificate has to be in a log, as with GitHub's own instance.
import { createRequire } from 'node:module'
import { readFileSync } from 'node:fs'

const [modules, path, root, digest, identity, issuer, log] = process.argv.slice(2)
const require = createRequire(`${modules}/`)
const { bundleFromJSON } = require('@sigstore/bundle')
const { TrustedRoot } = require('@sigstore/protobuf-specs')
const { Verifier, toSignedEntity, toTrustMaterial } = require('@sigstore/verify')

const json = (file) => JSON.parse(readFileSync(file, 'utf8'))
// The library takes the identity as a regular expression that has to match somewhere.
const exactly = (text) => `^${text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}$`

try {
  const bundle = bundleFromJSON(json(path))
  const options = log === 'no-log' ? { tlogThreshold: 0, ctlogThreshold: 0, timestampThreshold: 1 } : {}
  const verifier = new Verifier(toTrustMaterial(TrustedRoot.fromJSON(json(root))), options)
  verifier.verify(toSignedEntity(bundle), { subjectAlternativeName: exactly(identity), extensions: { issuer } })
  // What is signed, and about what, is the caller's to look at.
  const { payload, payloadType } = bundle.content.dsseEnvelope
  if (payloadType !== 'application/vnd.in-toto+json') throw new Error(`the payload is ${payloadType}`)
  const statement = JSON.parse(payload.toString('utf8'))
  const digests = statement.subject.map((subject) => `sha256:${subject.digest.sha256}`)
  if (digests.length !== 1 || digests[0] !== digest) throw new Error(`the statement is about ${digests}`)
  console.log(statement.predicateType)
} catch (error) {
  console.error(`${error.code ?? error.name}: ${error.message}`)
  process.exit(1)
}
