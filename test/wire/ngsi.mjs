// ngsi.mjs SCHEMAS FILE…: validates the entities of kerb relay -to ngsi-ld, arrays of JSON, with
// ajv against the schemas of Smart Data Models in the folder SCHEMAS. Two planted entities must
// be refused. Prints one line, and exits with 1 where anything is wrong.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import Ajv from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';

const [dir, ...files] = process.argv.slice(2);
const read = (name) => JSON.parse(readFileSync(join(dir, name), 'utf8'));
const ajv = new Ajv({ strict: false, allErrors: true, logger: false });
addFormats(ajv);
ajv.addSchema(read('common-schema.json'), 'https://smart-data-models.github.io/data-models/common-schema.json');
const check = {};
for (const kind of ['TrafficFlowObserved', 'CrowdFlowObserved']) check[kind] = ajv.compile(read(kind + '.schema.json'));

let valid = 0;
const errors = [];
for (const file of files) {
  for (const e of JSON.parse(readFileSync(file, 'utf8'))) {
    if (check[e.type](e)) valid++;
    else errors.push(`${e.id}: ${ajv.errorsText(check[e.type].errors)}`);
    if (e.type === 'TrafficFlowObserved' && check[e.type]({ ...e, intensity: -1 })) errors.push('a planted negative intensity is valid');
    if (check[e.type]({ ...e, dateObserved: undefined })) errors.push('a planted entity without dateObserved is valid');
  }
}
console.log(`ajv: ${valid} entities valid, ${errors.length} errors`);
for (const e of errors.slice(0, 10)) console.log(e);
process.exit(errors.length ? 1 : 0);
