// The API's types from its own description: npm run types -- OPENAPI.json [OUT.ts]
import { readFile, writeFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import openapiTS, { astToString } from 'openapi-typescript'

const [source, out = resolve(dirname(fileURLToPath(import.meta.url)), '../src/api/types.ts')] = process.argv.slice(2)
if (!source) {
  console.error('usage: npm run types -- OPENAPI.json [OUT.ts]')
  process.exit(2)
}
const schema = JSON.parse(await readFile(source, 'utf8'))
delete schema.servers // names a host, says nothing about types
const banner = '// Written by `npm run types` from /openapi.json. Do not edit; a test fails when it is stale.\n\n'
await writeFile(out, banner + astToString(await openapiTS(schema, { alphabetize: true })))
