// Reads a workflow as GitHub does and evaluates what it says at some paths: evaluate-expressions MODULES
//
// Standard input: {"workflow": TEXT, "paths": ["jobs.deliver.environment", …], "contexts": [{"github": {…}, …}, …]}
// Standard output: for each contexts an object of path and value, each value a text as the runner sees it,
// a list or mapping as JSON.
import { register } from 'node:module'
import { text } from 'node:stream/consumers'
import { pathToFileURL } from 'node:url'

// The parser is made for bundlers: it imports its schema without saying that it is JSON, which Node insists on.
const hook = `export const load = (url, context, next) =>
  next(url, url.endsWith('.json') ? { ...context, importAttributes: { type: 'json' } } : context)`
register(`data:text/javascript,${encodeURIComponent(hook)}`)

const [modules] = process.argv.slice(2)
const load = (name) => import(pathToFileURL(`${modules}/@actions/${name}/dist/index.js`).href)
const { data, Evaluator, Lexer, Parser } = await load('expressions')
const { convertWorkflowTemplate, parseWorkflow, NoOperationTraceWriter } = await load('workflow-parser')

const { workflow, paths, contexts } = JSON.parse(await text(process.stdin))
const parsed = parseWorkflow({ name: 'workflow.yml', content: workflow }, new NoOperationTraceWriter())
if (parsed.value) await convertWorkflowTemplate(parsed.context, parsed.value)
const errors = parsed.context.errors.getErrors()
if (errors.length > 0) {
  for (const error of errors) console.error(String(error.message ?? error))
  process.exit(1)
}

// The value at a path, or undefined.
function find(token, keys) {
  if (keys.length === 0) return token
  for (let index = 0; index < token.count; index++) {
    const { key, value } = token.get(index)
    if (String(key) === keys[0]) return find(value, keys.slice(1))
  }
  return undefined
}

// The status functions, in a run that nobody cancelled and in which what was needed has not failed.
const status = (name, value) => ({ name, minArgs: 0, maxArgs: 0, call: () => new data.BooleanData(value) })
const STATUS = [status('success', true), status('always', true), status('failure', false), status('cancelled', false)]
const STATUS_BY_NAME = new Map(STATUS.map((definition) => [definition.name, definition]))

function evaluate(expression, given) {
  const names = Object.keys(given)
  const { tokens } = new Lexer(expression).lex()
  const tree = new Parser(tokens, names, STATUS).parse()
  const dictionary = JSON.parse(JSON.stringify(given), data.reviver)
  const result = new Evaluator(tree, dictionary, STATUS_BY_NAME).evaluate()
  const structured = result.kind === data.Kind.Array || result.kind === data.Kind.Dictionary
  return structured ? JSON.stringify(result, data.replacer) : result.coerceString()
}

const results = contexts.map((given) =>
  Object.fromEntries(
    paths.map((path) => {
      const token = find(parsed.value, path.split('.'))
      if (token === undefined) return [path, null]
      return [path, token.isExpression ? evaluate(token.expression, given) : String(token)]
    }),
  ),
)
console.log(JSON.stringify(results))
