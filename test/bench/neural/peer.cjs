// The peer of the bench: onnxruntime-node on the same file and inputs.
//
//	node peer.cjs MODEL THREADS
//
// For each number read from standard input it runs so many inferences and
// prints their milliseconds on one line.
const path = require('path');
const readline = require('readline');
const ort = require(path.join(process.env.KERB_ORT, 'node_modules', 'onnxruntime-node'));

(async () => {
  const [model, threads] = process.argv.slice(2);
  const session = await ort.InferenceSession.create(model, { intraOpNumThreads: +threads, interOpNumThreads: 1 });
  const name = session.inputNames[0];
  const dims = session.inputMetadata[0].shape;
  const data = new Float32Array(dims.reduce((a, b) => a * b));
  for (let i = 0; i < data.length; i++) data[i] = (i * 7919) % 255;
  const feed = { [name]: new ort.Tensor('float32', data, dims) };
  console.log('ready');
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const ms = [];
    for (let i = 0; i < +line; i++) {
      const start = process.hrtime.bigint();
      await session.run(feed);
      ms.push(Number(process.hrtime.bigint() - start) / 1e6);
    }
    console.log(ms.join(' '));
  }
})().catch((e) => { console.error(e); process.exit(1); });
