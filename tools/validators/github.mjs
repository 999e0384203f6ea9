// Prunes GitHub's description of its API to the calls that are tested against it: github DESCRIPTION
// The whole takes Prism six seconds and 300 MB. Examples go too: nothing is mocked.
import { readFileSync } from 'node:fs'

const CALLS = {
  '/app/installations/{installation_id}/access_tokens': ['post'],
  '/installation/token': ['delete'],
  '/orgs/{org}/artifacts/metadata/storage-record': ['post'],
  '/repos/{owner}/{repo}/attestations': ['post'],
  '/repos/{owner}/{repo}/check-runs': ['post'],
  '/repos/{owner}/{repo}/check-runs/{check_run_id}': ['get', 'patch'],
  '/repos/{owner}/{repo}/check-runs/{check_run_id}/annotations': ['get'],
  '/repos/{owner}/{repo}/code-scanning/analyses': ['get'],
  '/repos/{owner}/{repo}/code-scanning/sarifs': ['post'],
  '/repos/{owner}/{repo}/code-scanning/sarifs/{sarif_id}': ['get'],
  '/repos/{owner}/{repo}/commits': ['get'],
  '/repos/{owner}/{repo}/commits/{ref}/check-runs': ['get'],
  '/repos/{owner}/{repo}/compare/{basehead}': ['get'],
  '/repos/{owner}/{repo}/environments/{environment_name}': ['get'],
  '/repos/{owner}/{repo}/environments/{environment_name}/deployment-branch-policies': ['get'],
  '/repos/{owner}/{repo}/installation': ['get'],
  '/repos/{owner}/{repo}/issues': ['get', 'post'],
  '/repos/{owner}/{repo}/issues/{issue_number}': ['patch'],
  '/repos/{owner}/{repo}/git/blobs/{file_sha}': ['get'],
  '/repos/{owner}/{repo}/git/commits': ['post'],
  '/repos/{owner}/{repo}/git/commits/{commit_sha}': ['get'],
  '/repos/{owner}/{repo}/git/ref/{ref}': ['get'],
  '/repos/{owner}/{repo}/git/refs': ['post'],
  '/repos/{owner}/{repo}/git/refs/{ref}': ['patch'],
  '/repos/{owner}/{repo}/git/trees': ['post'],
  '/repos/{owner}/{repo}/git/trees/{tree_sha}': ['get'],
  '/repos/{owner}/{repo}/pulls': ['get'],
}

const whole = JSON.parse(readFileSync(process.argv[2], 'utf8'))
const pruned = { openapi: whole.openapi, info: whole.info, servers: whole.servers, paths: {}, components: {} }

// Takes a part over, and every component that it refers to.
function take(part) {
  if (Array.isArray(part)) return part.map(take)
  if (part === null || typeof part !== 'object') return part
  if (typeof part.$ref === 'string') component(part.$ref)
  const kept = Object.entries(part).filter(([name, value]) => name !== 'examples' || Array.isArray(value))
  return Object.fromEntries(kept.map(([name, value]) => [name, take(value)]))
}

function component(reference) {
  const [, , kind, name] = reference.split('/')
  pruned.components[kind] ??= {}
  if (name in pruned.components[kind]) return
  // Marked before it is walked, for some refer to themselves.
  pruned.components[kind][name] = {}
  pruned.components[kind][name] = take(whole.components[kind][name])
}

for (const [path, methods] of Object.entries(CALLS)) {
  pruned.paths[path] = Object.fromEntries(methods.map((method) => [method, take(whole.paths[path][method])]))
}
process.stdout.write(JSON.stringify(pruned))
