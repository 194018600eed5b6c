// Calls the probe service with grpc-js. Prints one line per case.
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');
const assert = require('node:assert');

const [, , address, protoFile] = process.argv;
const { Probe } = grpc.loadPackageDefinition(loader.loadSync(protoFile, { keepCase: true, longs: Number })).membership.grpc.tests;
const client = new Probe(address, grpc.credentials.createInsecure());
const ok = (name) => console.log('ok', name);

const unary = (request, metadata = new grpc.Metadata(), options = {}) => new Promise((resolve, reject) => {
  let trailers;
  const call = client.Unary(request, metadata, options, (error, reply) => (error ? reject(error) : setImmediate(() => resolve({ reply, trailers }))));
  call.on('status', (status) => { trailers = status.metadata; });
});
const failure = async (promise) => promise.then(() => assert.fail('the call should have failed'), (error) => error);
const collectAll = (stream) => new Promise((resolve, reject) => {
  const all = [];
  stream.on('data', (message) => all.push(message)).on('end', () => resolve(all)).on('error', reject);
});

(async () => {
  const metadata = new grpc.Metadata();
  metadata.set('echo-text', 'v');
  metadata.set('echo-b-bin', Buffer.from([0, 255]));
  const { reply, trailers } = await unary({ text: 'hällo' }, metadata);
  assert.strictEqual(reply.text, 'hällo');
  assert.deepStrictEqual(trailers.get('echo-text'), ['v']);
  assert.deepStrictEqual(trailers.get('echo-b-bin'), [Buffer.from([0, 255])]);
  ok('unary and trailers');

  const error = await failure(unary({ status: 9, detail: 'größer\n漢字 50%', details: Buffer.from([1, 250]) }));
  assert.strictEqual(error.code, grpc.status.FAILED_PRECONDITION);
  assert.strictEqual(error.details, 'größer\n漢字 50%');
  assert.deepStrictEqual(error.metadata.get('grpc-status-details-bin'), [Buffer.from([1, 250])]);
  ok('error status, text and details');

  assert.strictEqual((await failure(unary({ wait: true }, undefined, { deadline: Date.now() + 300 }))).code, grpc.status.DEADLINE_EXCEEDED);
  ok('deadline');

  assert.strictEqual((await collectAll(client.Produce({ count: 5000, reply_bytes: 100 }))).length, 5000);
  ok('server stream');
  const inside = await failure(collectAll(client.Produce({ count: 3, status: 10, detail: 'no more' })));
  assert.deepStrictEqual([inside.code, inside.details], [grpc.status.ABORTED, 'no more']);
  ok('error inside a stream');

  const collected = await new Promise((resolve, reject) => {
    const call = client.Collect((problem, answer) => (problem ? reject(problem) : resolve(answer)));
    for (let number = 0; number < 3000; number++) call.write({ text: 'x' });
    call.end();
  });
  assert.strictEqual(collected.count, 3000);
  ok('client stream');

  const talk = client.Talk();
  const answers = collectAll(talk);
  talk.write({ text: 'a' });
  talk.write({ text: 'b' });
  talk.end();
  assert.deepStrictEqual((await answers).map((answer) => answer.text), ['a', 'b']);
  ok('bidirectional');

  const missing = await failure(new Promise((resolve, reject) => client.Missing({}, (problem, answer) => (problem ? reject(problem) : resolve(answer)))));
  assert.strictEqual(missing.code, grpc.status.UNIMPLEMENTED);
  const nowhere = await failure(new Promise((resolve, reject) => client.makeUnaryRequest('/no.such/Method', (x) => x, (x) => x, Buffer.alloc(0), (problem, answer) => (problem ? reject(problem) : resolve(answer)))));
  assert.strictEqual(nowhere.code, grpc.status.UNIMPLEMENTED);
  ok('unknown method');
  client.close();
})().catch((problem) => { console.error(problem); process.exit(1); });
