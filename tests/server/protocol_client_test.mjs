// SPDX-License-Identifier: Apache-2.0
// server/console/protocol.js against a scripted socket: the handshake, calls, cancelling, events, frames, the end.
import assert from "node:assert/strict";
import {copyFileSync, mkdtempSync, rmSync} from "node:fs";
import {tmpdir} from "node:os";
import {join} from "node:path";
import test from "node:test";

// A copy under a name that every version of node takes for a module.
const folder = mkdtempSync(join(tmpdir(), "handeye-client-"));
copyFileSync(process.argv[2], join(folder, "protocol.mjs"));
const {Client, RpcError, methods, parseFrame} = await import(join(folder, "protocol.mjs"));
rmSync(folder, {recursive: true});

class Socket {
  static last = null;
  sent = [];
  readyState = 1;
  constructor(url) {
    this.url = url;
    Socket.last = this;
    queueMicrotask(() => this.say({method: "hello", params: {protocol: 1}}));
  }
  send(text) {
    const message = JSON.parse(text);
    this.sent.push(message);
    if (message.method === "connection.identify") this.say({id: message.id, result: {scopes: ["observe"]}});
  }
  say(message) {
    this.onmessage({data: JSON.stringify(message)});
  }
  close() {
    this.readyState = 3;
    this.onclose({code: 1000, reason: ""});
  }
}

async function connected() {
  const client = new Client();
  await client.connect("ws://127.0.0.1/ws", {token: "t", WebSocketClass: Socket});
  return [client, Socket.last];
}

function frame(stream, seq, version = 1) {
  const buffer = new ArrayBuffer(26);
  const view = new DataView(buffer);
  view.setUint8(0, version);
  view.setUint8(1, 1);
  view.setUint32(4, stream);
  view.setBigUint64(8, BigInt(seq));
  view.setUint8(24, 7);
  return buffer;
}

test("identify carries the token and no scopes that were not asked for", async () => {
  const [client, socket] = await connected();
  assert.deepEqual(socket.sent[0].params, {protocol: 1, client: "handeye client", token: "t"});
  assert.deepEqual(client.identity.scopes, ["observe"]);
});

test("answers find their calls in any order, and a no is an RpcError with its kind", async () => {
  const [client, socket] = await connected();
  const first = client.call("session.list");
  const second = client.call("session.get", {session: "S"});
  socket.say({id: 3, error: {code: -32010, message: "no", data: {kind: "no_such_session", field: "session"}}});
  socket.say({id: 2, result: {sessions: []}});
  assert.deepEqual(await first, {sessions: []});
  await assert.rejects(second, (error) => error instanceof RpcError && error.kind === "no_such_session" && error.field === "session");
});

test("an unknown method is a mistake of the program", async () => {
  const [client] = await connected();
  assert.throws(() => client.call("no.such"), TypeError);
  assert.equal(methods["task.run"].scope, "control");
});

test("an abort asks the server to cancel", async () => {
  const [client, socket] = await connected();
  const stop = new AbortController();
  client.call("session.list", {}, {signal: stop.signal});
  stop.abort();
  assert.deepEqual(socket.sent.at(-1), {jsonrpc: "2.0", method: "$/cancelRequest", params: {id: 2}});
});

test("a subscription goes on behind the last event seen", async () => {
  const [client, socket] = await connected();
  const seen = [];
  const wait = client.subscribe({sessions: ["S"]}, (event) => seen.push(event.seq));
  socket.say({id: 2, result: {subscription: "sub-1"}});
  await wait;
  socket.say({method: "event", params: {session: "S", seq: 4, type: "task.started", data: {}}});
  socket.say({method: "event", params: {session: "T", seq: 9, type: "task.started", data: {}}});
  assert.deepEqual(seen, [4]);
  client.subscribe({sessions: ["S"]}, () => {});
  assert.equal(socket.sent.at(-1).params.from_seq, 5);
});

test("frames reach their stream and are acknowledged; others are left alone", async () => {
  const [client, socket] = await connected();
  const seen = [];
  const wait = client.watch({session: "S"}, (picture) => seen.push(picture.seq));
  socket.say({id: 2, result: {stream: 5}});
  await wait;
  socket.onmessage({data: frame(5, 1)});
  socket.onmessage({data: frame(6, 2)});
  socket.onmessage({data: frame(5, 3, 2)});
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(seen, [1]);
  assert.deepEqual(socket.sent.at(-1), {jsonrpc: "2.0", method: "frames.ack", params: {stream: 5, seq: 1}});
});

test("a short or foreign binary message is no frame", () => {
  assert.equal(parseFrame(new ArrayBuffer(23)), null);
  assert.equal(parseFrame(frame(1, 1, 9)), null);
  assert.equal(parseFrame(frame(1, 77)).seq, 77);
});

test("the end refuses what waits and what comes after", async () => {
  const [client] = await connected();
  const waiting = client.call("session.list");
  client.close();
  await assert.rejects(waiting, (error) => error.kind === "closed");
  await assert.rejects(client.call("session.list"), (error) => error.kind === "closed");
});
