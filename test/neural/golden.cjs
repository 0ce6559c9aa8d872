// Runs an ONNX file under onnxruntime on one thread and writes the results.
//
//	node golden.cjs MODEL COUNT IN OUT
//
// IN holds COUNT inputs and OUT gets COUNT outputs, float32, one after the
// other. The folder that holds node_modules is in KERB_ORT.
const path = require('path');
const fs = require('fs');
const ort = require(path.join(process.env.KERB_ORT, 'node_modules', 'onnxruntime-node'));

(async () => {
  const [model, count, from, to] = process.argv.slice(2);
  const session = await ort.InferenceSession.create(model, { intraOpNumThreads: 1, interOpNumThreads: 1 });
  const name = session.inputNames[0];
  const dims = session.inputMetadata[0].shape;
  const bytes = fs.readFileSync(from);
  const all = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  const size = all.length / count;
  const out = fs.openSync(to, 'w');
  for (let i = 0; i < count; i++) {
    const feed = { [name]: new ort.Tensor('float32', all.slice(i * size, (i + 1) * size), dims) };
    const result = (await session.run(feed))[session.outputNames[0]];
    fs.writeSync(out, Buffer.from(result.data.buffer, result.data.byteOffset, result.data.byteLength));
  }
  fs.closeSync(out);
})().catch((e) => { console.error(e); process.exit(1); });
