// check.mjs SCHEMAS [MESSAGES]: reads the AsyncAPI document in the folder SCHEMAS with
// @asyncapi/parser, compiles the JSON Schemas there with ajv, and validates every message of
// the file MESSAGES, one JSON object {"topic", "payload"} a line. Prints one JSON object:
// errors and warnings of the document, messages by kind, and what is wrong. Exits with 1
// where anything is.
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Parser, fromFile } from '@asyncapi/parser';
import Ajv from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';

const [dir, messages] = process.argv.slice(2);
const found = { document: 0, warnings: 0, messages: {}, errors: [] };

const { document, diagnostics } = await fromFile(new Parser(), join(dir, 'asyncapi.yaml')).parse();
for (const d of diagnostics) {
  if (d.severity === 0) found.errors.push(`asyncapi: ${d.code} ${d.path.join('.')}: ${d.message}`);
  else if (d.severity === 1) found.warnings++;
}
found.document = document ? document.channels().all().length : 0;
if (!document && found.errors.length === 0) found.errors.push('asyncapi: no document');

const ajv = new Ajv({ allErrors: true, logger: false });
addFormats(ajv);
const names = readdirSync(dir).filter((n) => n.endsWith('.schema.json'));
for (const n of names) ajv.addSchema(JSON.parse(readFileSync(join(dir, n), 'utf8')), n);
for (const n of names) {
  try {
    ajv.getSchema(n);
  } catch (e) {
    found.errors.push(`${n}: ${e.message}`);
  }
}

for (const line of messages ? readFileSync(messages, 'utf8').split('\n') : []) {
  if (line === '') continue;
  const { topic, payload } = JSON.parse(line);
  const kind = payload.schema === 'kerb.proof/1' ? 'proof' : topic.split('/')[5];
  found.messages[kind] = (found.messages[kind] ?? 0) + 1;
  const check = ajv.getSchema(`${kind}.schema.json`);
  if (!check) found.errors.push(`${topic}: no schema`);
  else if (!check(payload)) found.errors.push(`${topic}: ${ajv.errorsText(check.errors)}`);
}
console.log(JSON.stringify(found));
process.exitCode = found.errors.length === 0 ? 0 : 1;
