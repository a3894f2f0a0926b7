// SPDX-License-Identifier: Apache-2.0
// Elements and words. Whatever comes from the server becomes text here, never markup: nothing in the console parses HTML.

const svgNamespace = "http://www.w3.org/2000/svg";

/** Makes an element: properties (class, on: {click: f}, data: {}, attributes), then children: nodes, texts, arrays, null. */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "on") for (const [type, f] of Object.entries(value)) element.addEventListener(type, f);
    else if (name === "data") Object.assign(element.dataset, value);
    else if (name === "class") element.className = value;
    else if (name in element && typeof value !== "string") element[name] = value;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  append(element, children);
  return element;
}

function append(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
}

/** Replaces what `element` holds. */
export function fill(element, ...children) {
  element.replaceChildren();
  append(element, children);
  return element;
}

/** As fill(), but only when `key` is another one than last time: what has the focus, or is being pressed, stays. */
export function refill(element, key, make) {
  const text = JSON.stringify(key);
  if (element.shownKey === text) return;
  element.shownKey = text;
  fill(element, make());
}

const iconPaths = {
  sessions: "M3 5h18v11H3zM8 20h8M12 16v4",
  approvals: "M12 3l8 3v6c0 5-3.5 7.5-8 9-4.5-1.5-8-4-8-9V6zM8.5 12l2.5 2.5 4.5-5",
  timeline: "M4 6h16M4 12h10M4 18h13",
  engine: "M7 7h10v10H7zM10 3v4M14 3v4M10 17v4M14 17v4M3 10h4M3 14h4M17 10h4M17 14h4",
  chat: "M4 5h16v11H10l-5 4v-4H4z",
};

export function icon(name) {
  const svg = document.createElementNS(svgNamespace, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("class", "icon");
  const path = document.createElementNS(svgNamespace, "path");
  path.setAttribute("d", iconPaths[name]);
  svg.append(path);
  return svg;
}

const badgeKinds = {
  ok: ["confirmed", "done", "allow", "approve", "approved", "ready", "said", "connected"],
  warn: ["unverifiable", "suspected_noop", "partial", "no_action", "paused", "ask", "waiting_for_approval", "waiting_for_answer", "human", "take_over",
         "unconfirmed", "fell_short", "needs_person", "expired", "loading", "waiting_for_engine", "budget_exceeded"],
  bad: ["refused", "denied", "deny", "failed", "stuck", "stopped", "parse_failures", "infeasible", "missing", "closed by the daemon"],
};

const spoken = {human: "taken over"}; // where the protocol's own word says little

/** A verdict in a pill; its colour says good, doubtful, bad, or neither. */
export function badge(word) {
  const kind = Object.keys(badgeKinds).find((name) => badgeKinds[name].includes(word)) ?? "plain";
  return h("span", {class: `badge ${kind}`}, spoken[word] ?? String(word).replaceAll("_", " "));
}

export function empty(text) {
  return h("p", {class: "empty"}, text);
}

export function button(text, action, kind = "quiet", attributes = {}) {
  return h("button", {type: "button", class: kind, on: {click: action}, ...attributes}, text);
}

export function field(label, input, hint) {
  return h("label", {class: "field"}, h("span", {}, label), input, hint ? h("small", {}, hint) : null);
}

/** Name and value pairs as the report shows them. */
export function facts(pairs) {
  return h("dl", {class: "facts"}, pairs.filter(([, value]) => value !== undefined && value !== null && value !== "")
    .map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
}

/** A thin bar: how much of a limit is used; `show` writes an amount. */
export function meter(label, used, limit, show = short) {
  const share = limit > 0 ? Math.min(1, used / limit) : 0;
  const bar = h("i");
  bar.style.width = `${(share * 100).toFixed(1)}%`;
  return h("div", {class: share > 0.85 ? "meter high" : "meter"},
           h("span", {}, label), h("span", {class: "number"}, `${show(used)}${limit > 0 ? ` of ${show(limit)}` : ""}`),
           h("span", {class: "track"}, bar));
}

export function count(number) {
  if (!Number.isFinite(number)) return "";
  return Number.isInteger(number) ? number.toLocaleString("en") : number.toLocaleString("en", {maximumFractionDigits: 1});
}

function short(number) {
  return number.toLocaleString("en", {notation: "compact", maximumFractionDigits: 1});
}

export function seconds(ms) {
  if (!Number.isFinite(ms)) return "";
  if (ms < 1000) return `${Math.round(ms)} ms`;
  return ms < 59_950 ? `${(ms / 1000).toFixed(1)} s` : duration(ms);
}

const durationUnits = [["d", 86_400], ["h", 3600], ["min", 60], ["s", 1]];

/** In whole seconds and at most two units: "4 s", "12 min 5 s", "1 h", "2 h 30 min". */
export function duration(ms) {
  const whole = Math.max(0, Math.round(ms / 1000));
  const first = durationUnits.findIndex(([, size]) => whole >= size);
  if (first < 0) return "0 s";
  const [[unit, size], next] = durationUnits.slice(first);
  const more = next ? Math.floor((whole % size) / next[1]) : 0;
  return `${Math.floor(whole / size)} ${unit}${more > 0 ? ` ${more} ${next[0]}` : ""}`;
}

export function clock(utc) {
  const time = new Date(utc);
  return Number.isNaN(time.getTime()) ? "" : time.toLocaleTimeString([], {hour: "2-digit", minute: "2-digit", second: "2-digit"});
}

/** A session's id carries its time: the first ten characters are milliseconds in Crockford's base 32. */
export function timeOfId(id) {
  let ms = 0;
  for (const letter of id.slice(0, 10)) ms = ms * 32 + "0123456789ABCDEFGHJKMNPQRSTVWXYZ".indexOf(letter);
  return new Date(ms);
}

export function bytesOf(base64) {
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
}

/** What the model thinks and what it says, of an answer that may still be growing. */
export function splitThinking(text) {
  const open = text.indexOf("<think>");
  const close = text.indexOf("</think>");
  const clean = (part) => part.replace(/<\/?(think|answer)>|<\|[a-z_]+\|>/g, "").trim();
  if (close >= 0) return {thinking: clean(text.slice(0, close)), answer: clean(text.slice(close + 8))};
  if (open >= 0) return {thinking: clean(text), answer: ""};
  return {thinking: "", answer: clean(text)};
}
