// french.mjs FILE…: validates CSV files with tableschema, the library of Frictionless:
// channels.csv by channel.json, others by measure.json. These have the columns, types and
// words of the French national schemas comptage-mobilites (measure 1.0.0, channel 0.2.3), of
// the words those alone that kerb uses. Planted rows must be refused. Prints one line; exits
// with 1 where anything is wrong.
import { createRequire } from 'node:module';
import { basename, join } from 'node:path';
const { Table, Schema } = createRequire(import.meta.url)('tableschema');

const files = process.argv.slice(2);
const dir = import.meta.dirname;
let rows = 0;
const errors = [];
for (const file of files) {
  const schema = join(dir, basename(file) === 'channels.csv' ? 'channel.json' : 'measure.json');
  const table = await Table.load(file, { schema });
  try {
    rows += (await table.read({ keyed: true })).length;
  } catch (e) {
    errors.push(`${basename(file)}: ${(e.errors ?? [e]).slice(0, 3).map((x) => x.message).join('; ')}`);
  }
}
const planted = [
  ['measure.json', ['a', 'b', 'yesterday', '2026-11-23T00:15:00Z', '3']],
  ['measure.json', ['a', 'b', '2026-11-23T00:00:00Z', '2026-11-23T00:15:00Z', 'many']],
];
const channel = { channel_id: 'a', site_id: 'b', mobility_type: 'CAR,BUS', counter_type: 'VIDEO SENSOR', direction: 'NW', temporality: 'PERMANENT' };
const columns = (await Schema.load(join(dir, 'channel.json'))).fieldNames;
for (const wrong of [{}, { mobility_type: 'CAT' }, { counter_type: 'EYE' }, { direction: 'NNW' }, { site_id: '' }]) {
  const row = columns.map((c) => ({ ...channel, ...wrong })[c] ?? '');
  if (Object.keys(wrong).length === 0) (await Schema.load(join(dir, 'channel.json'))).castRow(row);
  else planted.push(['channel.json', row]);
}
for (const [name, row] of planted) {
  const schema = await Schema.load(join(dir, name));
  let refused = false;
  try {
    schema.castRow(row);
  } catch {
    refused = true;
  }
  if (!refused) errors.push(`a planted row is valid: ${row}`);
}
console.log(`tableschema: ${rows} rows of ${files.length} files valid, ${errors.length} errors`);
for (const e of errors) console.log(e);
process.exit(errors.length ? 1 : 0);
