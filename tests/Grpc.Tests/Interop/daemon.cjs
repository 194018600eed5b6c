// Calls membership.v1 of a daemon with grpc-js. Prints one line per case.
// daemon.cjs ADDRESS PROTOS USER [CA CERTIFICATE KEY]: as the user of that number ("-": as whoever runs it); with the files over mutual TLS.
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');
const protobuf = require('protobufjs');   // what proto-loader parses with: a status is a message without a service
const assert = require('node:assert');
const path = require('node:path');
const { collectAll, credentialsOf, failure, ok } = require('./calls.cjs');

const [, , address, protos, user, ...files] = process.argv;
const services = ['admin', 'group', 'membership'].map((name) => `membership/v1/${name}.proto`);
const api = grpc.loadPackageDefinition(loader.loadSync(services, { keepCase: true, longs: Number, enums: String, includeDirs: [protos] })).membership.v1;
const root = new protobuf.Root();
root.resolvePath = (origin, target) => path.join(protos, target);
root.loadSync(['google/rpc/status.proto', 'google/rpc/error_details.proto'], { keepCase: true });
const credentials = credentialsOf(files);
if (user !== '-') {
  process.setgroups([]);
  process.setgid(Number(user));
  process.setuid(Number(user));
}

const unary = (client, method, request) => new Promise((resolve, reject) => client[method](request, (error, reply) => (error ? reject(error) : resolve(reply))));

// Reason and metadata of the google.rpc.Status beside a refusal.
const errorInfo = (error) => {
  const [bytes] = error.metadata.get('grpc-status-details-bin');
  const status = root.lookupType('google.rpc.Status').decode(bytes);
  assert.strictEqual(status.code, error.code);
  assert.strictEqual(status.details[0].type_url, 'type.googleapis.com/google.rpc.ErrorInfo');
  return root.lookupType('google.rpc.ErrorInfo').decode(status.details[0].value);
};

async function* eventsOf(session) {
  for await (const { events = [] } of session) yield* events;
}

(async () => {
  const membership = new api.MembershipService(address, credentials);
  const status = await unary(membership, 'GetStatus', {});
  assert.deepStrictEqual([status.cluster, status.node, status.node_name, status.quorate, status.votes], ['loopback', 1, 'n1', true, 1]);
  ok('status');

  const watch = membership.WatchViews({});
  const view = await new Promise((resolve, reject) => watch.on('data', (response) => response.view && resolve(response.view)).on('error', reject));
  watch.removeAllListeners('error');
  watch.on('error', () => {});   // that of the cancel
  watch.cancel();
  assert.deepStrictEqual([view.id, view.members.map((member) => member.name)], [status.view.id, ['n1']]);
  ok('views');

  const groups = new api.GroupService(address, credentials);
  const session = groups.Session();
  const events = eventsOf(session);
  const next = async () => (await events.next()).value;
  session.write({ open: { name: 'interop' } });
  const { self } = (await next()).opened;
  assert.strictEqual(self.node, 1);
  ok('session');

  session.write({ join: { handle: 7, group: 'foreign' } });
  const joined = (await next()).membership;
  assert.deepStrictEqual([joined.handle, joined.group, joined.members, joined.joined, joined.reason], [7, 'foreign', [self], [self], 'GROUP_REASON_JOIN']);
  ok('join');

  session.write({ send: { handle: 7, payloads: [Buffer.from('größer'), Buffer.alloc(0)], level: 'DELIVERY_LEVEL_SAFE' } });
  const receipts = [];
  const messages = [];
  while (receipts.length < 2 || messages.length < 2) {
    const event = await next();
    if (event.receipts) receipts.push(...event.receipts.receipts);
    if (event.message) messages.push(event.message);
  }
  assert.deepStrictEqual(
    messages.map(({ handle, sender, payload, level }) => [handle, sender, payload?.toString() ?? '', level]),
    [[7, self, 'größer', 'DELIVERY_LEVEL_SAFE'], [7, self, '', 'DELIVERY_LEVEL_SAFE']],
  );
  ok('own messages');
  assert.deepStrictEqual(receipts.map((receipt) => receipt.counter), messages.map((message) => message.counter));
  ok('receipts');

  session.write({ leave: { handle: 7 } });
  const left = (await next()).membership;
  assert.deepStrictEqual([left.handle, left.members ?? [], left.left, left.reason], [7, [], [self], 'GROUP_REASON_LEAVE']);
  ok('leave');

  session.write({ join: { handle: 8, group: 'two\nlines' } });
  assert.strictEqual((await next()).refused.reason, 'GROUP_NAME');
  ok('refused join');
  const ended = new Promise((resolve) => session.on('status', resolve));
  session.end();
  assert.strictEqual((await events.next()).done, true);
  assert.strictEqual((await ended).code, grpc.status.OK);
  ok('end of the session');

  const admin = new api.AdminService(address, credentials);
  const denied = await failure(unary(admin, 'Leave', {}));
  assert.strictEqual(denied.code, grpc.status.PERMISSION_DENIED);
  assert.ok(denied.details.includes('needs the role operate; you are'), denied.details);
  ok('denied');
  const { reason, metadata } = errorInfo(denied);
  assert.deepStrictEqual([reason, metadata.role_needed, metadata.role], ['PERMISSION_DENIED', 'operate', 'app']);
  ok('denied, in words');

  const unknown = await failure(unary(groups, 'GetGroup', { group: 'nobody is here' }));
  assert.deepStrictEqual([unknown.code, errorInfo(unknown).reason], [grpc.status.NOT_FOUND, 'GROUP_NOT_FOUND']);
  ok('unknown group');
  const wrong = await failure(collectAll(groups.WatchGroup({ group: 'two\nlines' })));
  assert.deepStrictEqual([wrong.code, errorInfo(wrong).reason], [grpc.status.INVALID_ARGUMENT, 'GROUP_NAME']);
  ok('bad name');
  for (const client of [membership, groups, admin]) client.close();
})().catch((problem) => { console.error(problem); process.exit(1); });
