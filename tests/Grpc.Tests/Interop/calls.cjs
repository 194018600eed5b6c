// What every script here does with calls.
const grpc = require('@grpc/grpc-js');
const assert = require('node:assert');
const fs = require('node:fs');

exports.ok = (name) => console.log('ok', name);

// Of [CA, CERTIFICATE, KEY]: mutual TLS; of []: none.
exports.credentialsOf = (files) => {
  const [ca, certificate, key] = files.map((file) => fs.readFileSync(file));
  return files.length > 0 ? grpc.credentials.createSsl(ca, key, certificate) : grpc.credentials.createInsecure();
};

exports.failure = async (promise) => promise.then(() => assert.fail('the call should have failed'), (error) => error);

exports.collectAll = (stream) => new Promise((resolve, reject) => {
  const all = [];
  stream.on('data', (message) => all.push(message)).on('end', () => resolve(all)).on('error', reject);
});
