// SPDX-License-Identifier: Apache-2.0
// The control protocol for web pages and other JavaScript: its tables, and a client over one WebSocket.
// Made by tools/protocol/make.py from docs/protocol.schema.json; change those, not this.

export const protocol = 1;

export const methods = {
  "$/cancelRequest": {scope: "none", params: ["id"], required: ["id"]},
  "approval.decide": {scope: "approve", params: ["approval", "decision", "action_digest", "note"], required: ["approval", "decision"]},
  "approval.get": {scope: "observe", params: ["approval"], required: ["approval"]},
  "approval.list": {scope: "observe", params: ["session"], required: []},
  "connection.identify": {scope: "none", params: ["protocol", "client", "token", "ticket", "scopes"], required: ["protocol", "client"]},
  "connection.info": {scope: "observe", params: [], required: []},
  "connection.ping": {scope: "observe", params: ["payload"], required: []},
  "console.open": {scope: "admin", params: [], required: []},
  "control.acquire": {scope: "control", params: ["session", "mode", "ttl_ms"], required: ["session"]},
  "control.release": {scope: "control", params: ["session", "lease"], required: ["session", "lease"]},
  "control.reset_stop": {scope: "control", params: [], required: []},
  "control.status": {scope: "observe", params: ["session"], required: ["session"]},
  "control.stop_all": {scope: "control", params: ["reason"], required: []},
  "engine.infer": {scope: "engine", params: ["messages", "max_tokens", "temperature", "top_p", "seed", "thinking", "thinking_budget", "stream", "request"], required: ["messages"]},
  "engine.selftest": {scope: "engine", params: [], required: []},
  "engine.stats": {scope: "engine", params: [], required: []},
  "engine.status": {scope: "observe", params: [], required: []},
  "events.ack": {scope: "observe", params: ["subscription", "session", "seq"], required: ["subscription", "session", "seq"]},
  "events.replay": {scope: "observe", params: ["session", "from_seq", "n"], required: ["session"]},
  "events.subscribe": {scope: "observe", params: ["sessions", "types", "from_seq", "max_lag", "progress", "max_rate", "window", "coalesce"], required: []},
  "events.unsubscribe": {scope: "observe", params: ["subscription"], required: ["subscription"]},
  "frames.ack": {scope: "observe", params: ["stream", "seq"], required: ["stream", "seq"]},
  "input.act": {scope: "control", params: ["session", "action", "lease", "request_key"], required: ["session", "action"]},
  "input.act_many": {scope: "control", params: ["session", "actions", "lease", "request_key"], required: ["session", "actions"]},
  "input.key": {scope: "control", params: ["session", "keys", "lease", "request_key"], required: ["session", "keys"]},
  "input.release_all": {scope: "control", params: ["session"], required: ["session"]},
  "input.type": {scope: "control", params: ["session", "text", "secret", "lease", "request_key"], required: ["session", "text"]},
  "metrics.snapshot": {scope: "observe", params: [], required: []},
  "policy.explain": {scope: "observe", params: ["session", "action"], required: ["session", "action"]},
  "policy.get": {scope: "observe", params: ["session"], required: ["session"]},
  "policy.set": {scope: "admin", params: ["session", "policy"], required: ["session", "policy"]},
  "question.answer": {scope: "approve", params: ["question", "answer"], required: ["question", "answer"]},
  "question.list": {scope: "observe", params: ["session"], required: []},
  "recording.blob": {scope: "record", params: ["session", "hash", "offset", "length"], required: ["session", "hash"]},
  "recording.delete": {scope: "admin", params: ["session", "request_key"], required: ["session"]},
  "recording.export": {scope: "record", params: ["session", "format"], required: ["session", "format"]},
  "recording.get": {scope: "record", params: ["session"], required: ["session"]},
  "recording.list": {scope: "record", params: [], required: []},
  "recording.read": {scope: "record", params: ["session", "from_seq", "n"], required: ["session"]},
  "screen.capture": {scope: "observe", params: ["session", "format", "max_px", "region"], required: ["session"]},
  "screen.displays": {scope: "observe", params: ["session"], required: ["session"]},
  "screen.stream_start": {scope: "observe", params: ["session", "format", "max_px", "max_fps", "max_in_flight"], required: ["session"]},
  "screen.stream_stop": {scope: "observe", params: ["stream"], required: ["stream"]},
  "screen.windows": {scope: "observe", params: ["session"], required: ["session"]},
  "session.close": {scope: "control", params: ["session", "request_key"], required: ["session"]},
  "session.create": {scope: "control", params: ["platform", "target", "secrets", "request_key", "policy", "control"], required: ["platform"]},
  "session.doctor": {scope: "observe", params: ["session"], required: ["session"]},
  "session.get": {scope: "observe", params: ["session"], required: ["session"]},
  "session.list": {scope: "observe", params: [], required: []},
  "session.update": {scope: "control", params: ["session", "name", "notes", "request_key"], required: ["session"]},
  "task.amend": {scope: "control", params: ["task", "note", "request_key"], required: ["task", "note"]},
  "task.cancel": {scope: "control", params: ["task", "request_key"], required: ["task"]},
  "task.get": {scope: "observe", params: ["task"], required: ["task"]},
  "task.list": {scope: "observe", params: ["session"], required: []},
  "task.pause": {scope: "control", params: ["task", "request_key"], required: ["task"]},
  "task.result": {scope: "observe", params: ["task"], required: ["task"]},
  "task.resume": {scope: "control", params: ["task", "request_key"], required: ["task"]},
  "task.run": {scope: "control", params: ["session", "goal", "budget", "policy", "surface", "secrets", "request_key"], required: ["session", "goal"]},
  "task.run_file": {scope: "control", params: ["session", "file", "files", "pictures", "vars", "languages", "budget", "policy", "surface", "secrets", "request_key"], required: ["session", "file", "files"]},
  "task.step": {scope: "control", params: ["task", "request_key"], required: ["task"]},
  "task.wait": {scope: "observe", params: ["task", "timeout_ms"], required: ["task"]},
};

export const events = [
  "action.executed",
  "action.gated",
  "action.proposed",
  "action.verified",
  "approval.decided",
  "approval.expired",
  "approval.requested",
  "budget.exceeded",
  "control.lease",
  "control.stop",
  "engine.finished",
  "human.input",
  "input.released",
  "loop.suspected",
  "model.asked",
  "observation.captured",
  "policy.changed",
  "prompt.built",
  "question.asked",
  "question.settled",
  "session.closed",
  "session.opened",
  "session.state",
  "session.updated",
  "task.amended",
  "task.finished",
  "task.started",
  "task.state",
  "task.step_finished",
  "task.step_started",
  "taskfile.captured",
  "taskfile.finished",
  "taskfile.output",
  "taskfile.step_finished",
  "taskfile.step_started"
];

export const errorKinds = {
  "parse_error": {retryable: false, meaning: "The message is not JSON, or passes its limits."},
  "invalid_request": {retryable: false, meaning: "JSON, but not one JSON-RPC 2.0 request."},
  "unknown_method": {retryable: false, meaning: "There is no such method."},
  "invalid_params": {retryable: false, meaning: "A parameter is missing, of the wrong type or out of range; `field` names it."},
  "unauthorized": {retryable: false, meaning: "The token is missing or wrong."},
  "rate_limited": {retryable: true, meaning: "Too many wrong tokens from this peer."},
  "protocol_unsupported": {retryable: false, meaning: "The server does not speak that version of the protocol."},
  "scope_denied": {retryable: false, meaning: "This connection does not hold the scope that the method needs."},
  "no_such_session": {retryable: false, meaning: "No session, open or recorded, has this id."},
  "no_such_task": {retryable: false, meaning: "No task has this id."},
  "no_such_subscription": {retryable: false, meaning: "This connection has no such subscription."},
  "session_closed": {retryable: false, meaning: "The session is closed; its recording can still be read."},
  "task_running": {retryable: true, meaning: "The session is busy with a task."},
  "request_key_reused": {retryable: false, meaning: "This request_key was used with another body."},
  "stop_latched": {retryable: true, meaning: "Everything was stopped; control.reset_stop comes first."},
  "engine_missing": {retryable: false, meaning: "No model is loaded and none is being loaded."},
  "shutting_down": {retryable: true, meaning: "The server is ending."},
  "no_such_stream": {retryable: false, meaning: "This connection has no such stream."},
  "outcome_unknown": {retryable: false, meaning: "The server ended while the first call with this request_key ran; it is not repeated."},
  "lease_held": {retryable: true, meaning: "Somebody else holds the control of this session; `control.status` says who."},
  "policy_denied": {retryable: false, meaning: "The policy does not allow this action."},
  "no_such_approval": {retryable: false, meaning: "No approval has this id."},
  "approval_stale": {retryable: false, meaning: "The approval is decided, has expired, or its picture has changed."},
  "approval_denied": {retryable: false, meaning: "A person said no."},
  "no_such_question": {retryable: false, meaning: "No question that waits has this id."},
  "invalid_argument": {retryable: false, meaning: "Something in the request is out of contract."},
  "parse_failed": {retryable: false, meaning: "Text or bytes do not follow their format."},
  "out_of_bounds": {retryable: false, meaning: "A coordinate, offset or size lies outside its limit."},
  "limit_exceeded": {retryable: false, meaning: "A named bound was passed."},
  "not_found": {retryable: false, meaning: "A file, window, element or name does not exist."},
  "unsupported": {retryable: false, meaning: "Known, and not available here."},
  "permission_denied": {retryable: false, meaning: "Policy or the operating system said no."},
  "backend_unavailable": {retryable: true, meaning: "A display, device or program is missing or went away."},
  "overloaded": {retryable: true, meaning: "A bounded queue is full."},
  "cancelled": {retryable: false, meaning: "Stopped by a person, a signal or a request."},
  "deadline_exceeded": {retryable: true, meaning: "A deadline passed."},
  "io_failed": {retryable: true, meaning: "The operating system reported an I/O error."},
  "out_of_memory": {retryable: true, meaning: "There is not enough memory for this."},
  "engine_lost": {retryable: true, meaning: "The model's device or process is gone."},
  "internal": {retryable: false, meaning: "A broken promise inside the server."},
};

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
