// french.mjs SCHEMAS FILE…: validates CSV files with tableschema, the library of Frictionless,
// against the table schemas of the folder: channels.csv by channel.json, others by measure.json.
// A planted row must be refused. Prints one line; exits with 1 where anything is wrong.
import { createRequire } from 'node:module';
import { basename, join } from 'node:path';
const { Table, Schema } = createRequire(import.meta.url)('tableschema');

const [dir, ...files] = process.argv.slice(2);
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
