// Calls the probe service with grpc-js. Prints one line per case.
// client.cjs ADDRESS PROTOS [CA CERTIFICATE KEY]: with the three files over mutual TLS.
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');
const assert = require('node:assert');

const path = require('node:path');
const { collectAll, credentialsOf, failure, ok } = require('./calls.cjs');

const [, , address, protos, ...files] = process.argv;
const load = (name) => grpc.loadPackageDefinition(loader.loadSync(path.join(protos, name), { keepCase: true, longs: Number, enums: String }));
const { Probe } = load('probe.proto').membership.grpc.tests;
const credentials = credentialsOf(files);
const client = new Probe(address, credentials);

const unary = (request, metadata = new grpc.Metadata(), options = {}) => new Promise((resolve, reject) => {
  let trailers;
  const call = client.Unary(request, metadata, options, (error, reply) => (error ? reject(error) : setImmediate(() => resolve({ reply, trailers }))));
  call.on('status', (status) => { trailers = status.metadata; });
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

  const large = await unary({ payload: Buffer.alloc(3900000), reply_bytes: 3900000 });
  assert.strictEqual(large.reply.payload.length, 3900000);
  assert.strictEqual((await failure(unary({ payload: Buffer.alloc(5000000) }))).code, grpc.status.RESOURCE_EXHAUSTED);
  ok('large messages, and one over the limit');

  const cancelled = await failure(new Promise((resolve, reject) => {
    const call = client.Unary({ wait: true }, (problem, answer) => (problem ? reject(problem) : resolve(answer)));
    setTimeout(() => call.cancel(), 300);
  }));
  assert.strictEqual(cancelled.code, grpc.status.CANCELLED);
  const endless = client.Produce({ count: 1, wait: true });
  const stopped = await failure(new Promise((resolve, reject) => endless.on('data', () => endless.cancel()).on('end', resolve).on('error', reject)));
  assert.strictEqual(stopped.code, grpc.status.CANCELLED);
  ok('cancel');

  const { Health } = load('health.proto').grpc.health.v1;
  const health = new Health(address, credentials);
  const healthy = await new Promise((resolve, reject) => health.Check({ service: 'livez' }, (problem, answer) => (problem ? reject(problem) : resolve(answer))));
  assert.strictEqual(healthy.status, 'SERVING');
  const watch = health.Watch({ service: 'livez' });
  const first = await new Promise((resolve, reject) => watch.on('data', resolve).on('error', reject));
  watch.removeAllListeners('error');
  watch.on('error', () => {});
  watch.cancel();
  assert.strictEqual(first.status, 'SERVING');
  health.close();
  ok('health');

  for (const [file, version] of [['reflection_v1.proto', 'v1'], ['reflection_v1alpha.proto', 'v1alpha']]) {
    const { ServerReflection } = load(file).grpc.reflection[version];
    const reflection = new ServerReflection(address, credentials);
    const asked = reflection.ServerReflectionInfo();
    const told = collectAll(asked);
    asked.write({ list_services: '' });
    asked.write({ file_containing_symbol: 'membership.grpc.tests.Probe' });
    asked.write({ file_by_filename: 'no-such.proto' });
    asked.end();
    const [list, symbol, missingFile] = await told;
    assert.ok(list.list_services_response.service.some((service) => service.name === 'membership.grpc.tests.Probe'));
    assert.ok(symbol.file_descriptor_response.file_descriptor_proto.length > 0);
    assert.strictEqual(missingFile.error_response.error_code, grpc.status.NOT_FOUND);
    reflection.close();
    ok(`reflection ${version}`);
  }
  client.close();
})().catch((problem) => { console.error(problem); process.exit(1); });
