// iotagent.mjs FILE…: gives the attributes of the first entities of kerb relay -to ngsi-ld to
// FIWARE's agent library, which sends them to an NGSI-LD broker: here a stub that keeps what it
// is sent. Compares the two. Prints one line; exits with 1 where anything is wrong.
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
const agent = createRequire(import.meta.url)('iotagent-node-lib');

const most = 40;
const entities = process.argv.slice(2).flatMap((f) => JSON.parse(readFileSync(f, 'utf8'))).slice(0, most);
const sent = new Map();
const broker = createServer((q, a) => {
  let body = '';
  q.on('data', (b) => (body += b));
  q.on('end', () => {
    if (q.url.startsWith('/ngsi-ld/v1/entityOperations/upsert')) for (const e of JSON.parse(body)) sent.set(e.id, e);
    a.writeHead(q.method === 'POST' ? 204 : 200, { 'Content-Type': 'application/json' });
    a.end();
  });
});
await new Promise((ok) => broker.listen(0, '127.0.0.1', ok));
const types = {};
for (const type of ['TrafficFlowObserved', 'CrowdFlowObserved']) types[type] = { type, commands: [], lazy: [], attributes: [], active: [] };
await new Promise((ok, no) =>
  agent.activate(
    {
      logLevel: 'FATAL', types, service: 'kerb', subservice: '/', providerUrl: 'http://127.0.0.1:1', deviceRegistry: { type: 'memory' },
      contextBroker: { host: '127.0.0.1', port: broker.address().port, ngsiVersion: 'ld', jsonLdContext: 'https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context-v1.6.jsonld' },
      server: { port: 0, ldSupport: { null: true, datasetId: false } },
    },
    (e) => (e ? no(e) : ok()),
  ),
);
const errors = [];
const numbers = ['intensity', 'peopleCount', 'peopleCountTowards', 'peopleCountAway', 'occupancy', 'averageVehicleSpeed'];
let compared = 0;
for (const e of entities) {
  const attributes = Object.entries(e)
    .filter(([k]) => !['id', 'type', '@context', 'location'].includes(k))
    .map(([name, value]) => ({ name, type: typeof value === 'number' ? 'Number' : 'Text', value }));
  await new Promise((ok) => agent.update(e.id, e.type, '', attributes, { ...types[e.type], name: e.id, id: e.id, service: 'kerb', subservice: '/' }, (err) => (err && errors.push(`${e.id}: ${err.message}`), ok())));
  const got = sent.get(e.id);
  if (!got) {
    errors.push(`${e.id}: not sent`);
    continue;
  }
  for (const n of numbers) {
    if (got[n]?.value !== e[n]) errors.push(`${e.id}: ${n} is ${JSON.stringify(got[n])}, not ${e[n]}`);
    else if (e[n] !== undefined) compared++;
  }
}
console.log(`iotagent-node-lib: ${entities.length} entities sent to the broker, ${compared} numbers equal, ${errors.length} errors`);
for (const e of errors.slice(0, 10)) console.log(e);
process.exit(errors.length || !compared ? 1 : 0);
