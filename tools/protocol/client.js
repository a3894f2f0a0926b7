// SPDX-License-Identifier: Apache-2.0
// The hand-written half of server/console/protocol.js; make.py puts the tables in front of what follows.
// --- client ---
/** The server's "no": decide by `kind`. */
export class RpcError extends Error {
  constructor({code, message, data = {}}) {
    super(message);
    this.name = "RpcError";
    this.code = code;
    this.kind = data.kind ?? "internal";
    this.field = data.field ?? "";
    this.retryable = data.retryable ?? false;
  }
}

const frameHeaderBytes = 24;

/** A binary message as {kind, flags, stream, seq, monoNs, bytes}; null when it is none that this version knows. */
export function parseFrame(buffer) {
  if (buffer.byteLength < frameHeaderBytes) return null;
  const view = new DataView(buffer);
  if (view.getUint8(0) !== 1) return null;
  return {
    kind: view.getUint8(1),
    flags: view.getUint16(2),
    stream: view.getUint32(4),
    seq: Number(view.getBigUint64(8)),
    monoNs: view.getBigUint64(16),
    bytes: new Uint8Array(buffer, frameHeaderBytes),
  };
}

/**
 * One connection. `on("event", f)` hears notifications by their method, `on("close", f)` the end; both give back a function
 * that takes the listener away. Calls after the end are refused at once.
 */
export class Client {
  #socket = null;
  #nextId = 1;
  #waiting = new Map(); // id -> {resolve, reject}
  #listeners = new Map(); // notification -> Set of functions
  #streams = new Map(); // stream -> function
  #lastSeq = new Map(); // session -> newest event seen
  hello = null;
  identity = null;

  /** Opens `url`, waits for hello, identifies. `WebSocketClass` is for programs without a global WebSocket. */
  async connect(url, {token, ticket, client = "handeye client", scopes, WebSocketClass = globalThis.WebSocket} = {}) {
    const socket = new WebSocketClass(url);
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    const hello = new Promise((resolve, reject) => {
      this.#waiting.set("hello", {resolve, reject});
    });
    socket.onmessage = (message) => this.#receive(message.data);
    socket.onclose = (event) => this.#end(event);
    this.hello = await hello;
    this.identity = await this.call("connection.identify", {
      protocol,
      client,
      ...(token === undefined ? {} : {token}),
      ...(ticket === undefined ? {} : {ticket}),
      ...(scopes === undefined ? {} : {scopes}),
    });
    return this.identity;
  }

  /** Resolves to the result or rejects with an RpcError. An AbortSignal cancels the call; the server still answers it. */
  call(method, params = {}, {signal} = {}) {
    if (!(method in methods)) throw new TypeError(`there is no method ${method}`);
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      if (!this.isOpen) {
        reject(new RpcError({message: "the connection is closed", data: {kind: "closed", retryable: true}}));
        return;
      }
      this.#waiting.set(id, {resolve, reject});
      signal?.addEventListener("abort", () => this.cancel(id), {once: true});
      this.#send({jsonrpc: "2.0", id, method, params});
    });
  }

  cancel(id) {
    if (this.#waiting.has(id) && this.isOpen) this.#send({jsonrpc: "2.0", method: "$/cancelRequest", params: {id}});
  }

  on(notification, listener) {
    const set = this.#listeners.get(notification) ?? new Set();
    this.#listeners.set(notification, set.add(listener));
    return () => set.delete(listener);
  }

  /** Follows sessions; a session seen before goes on behind its last event unless `from_seq` says otherwise. */
  async subscribe(params, listener) {
    const off = this.on("event", (event) => {
      if (!params.sessions?.length || params.sessions.includes(event.session)) listener(event);
    });
    const known = params.sessions?.length === 1 ? this.#lastSeq.get(params.sessions[0]) : undefined;
    const from = params.from_seq ?? (known === undefined ? undefined : known + 1);
    const {subscription} = await this.call("events.subscribe", {...params, ...(from === undefined ? {} : {from_seq: from})});
    return async () => {
      off();
      await this.call("events.unsubscribe", {subscription});
    };
  }

  /** Newest pictures of a session. `onFrame(frame)` may be async: the frame is acknowledged when it is done. */
  async watch(params, onFrame) {
    const {stream} = await this.call("screen.stream_start", params);
    this.#streams.set(stream, onFrame);
    return async () => {
      this.#streams.delete(stream);
      await this.call("screen.stream_stop", {stream});
    };
  }

  get isOpen() {
    return this.#socket?.readyState === 1;
  }

  lastSeq(session) {
    return this.#lastSeq.get(session) ?? 0;
  }

  close() {
    this.#socket?.close(1000);
  }

  #send(message) {
    this.#socket.send(JSON.stringify(message));
  }

  #receive(data) {
    if (typeof data !== "string") {
      this.#receiveFrame(data);
      return;
    }
    const message = JSON.parse(data);
    if (message.method === undefined) {
      const call = this.#waiting.get(message.id);
      this.#waiting.delete(message.id);
      if (message.error) call?.reject(new RpcError(message.error));
      else call?.resolve(message.result);
      return;
    }
    if (message.method === "hello") {
      this.#waiting.get("hello")?.resolve(message.params);
      this.#waiting.delete("hello");
    }
    if (message.method === "event") {
      this.#lastSeq.set(message.params.session, Math.max(this.lastSeq(message.params.session), message.params.seq));
    }
    for (const listener of this.#listeners.get(message.method) ?? []) listener(message.params);
  }

  async #receiveFrame(data) {
    const frame = parseFrame(data);
    const onFrame = frame && this.#streams.get(frame.stream);
    if (!onFrame) return;
    try {
      await onFrame(frame);
    } finally {
      if (this.isOpen && this.#streams.has(frame.stream)) {
        this.#send({jsonrpc: "2.0", method: "frames.ack", params: {stream: frame.stream, seq: frame.seq}});
      }
    }
  }

  #end(event) {
    const reason = new RpcError({
      message: event.reason || `the connection ended with ${event.code}`,
      data: {kind: "closed", retryable: true},
    });
    for (const call of this.#waiting.values()) call.reject(reason);
    this.#waiting.clear();
    this.#streams.clear();
    for (const listener of this.#listeners.get("close") ?? []) listener({code: event.code, reason: event.reason});
  }
}
