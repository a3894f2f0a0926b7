// SPDX-License-Identifier: Apache-2.0
// What waits for a person: each action with its picture, the rule that asked, and the time left.
import {badge, button, bytesOf, empty, facts, fill, h, refill} from "./dom.js";

const aroundPx = 60; // shown around the part that must stay as it is

/** An action in words: "click at (120, 48)". Takes the canonical form, or {action, target} as approvals have it. */
export function inWords(action) {
  const {action: inner, target} = action ?? {};
  const place = target?.[0] ? {x: target[0].x, y: target[0].y} : {};
  const given = {...(inner ?? action ?? {}), ...place};
  const verb = String(given.verb ?? "act").replaceAll("_", " ");
  const at = given.x !== undefined ? ` at (${given.x}, ${given.y})` : "";
  const to = given.to_x !== undefined ? ` to (${given.to_x}, ${given.to_y})` : "";
  const rest = ["text", "keys", "direction", "amount", "url", "app", "title", "seconds"].filter((name) => given[name] !== undefined)
    .map((name) => (Array.isArray(given[name]) ? given[name].join("+") : name === "text" ? `“${given[name]}”` : given[name]));
  return `${verb}${at}${to}${rest.length > 0 ? ` ${rest.join(" ")}` : ""}`;
}

/** Where the action goes, in target pixels. */
function placeOf(action) {
  const first = action?.target?.[0];
  return first ? {x: first.x, y: first.y} : null;
}

export class Approvals {
  #app;
  #waiting = new Map(); // approval -> {session, ...}
  #place = null;
  #changed;
  #timer = 0;

  constructor(app, changed) {
    this.#app = app;
    this.#changed = changed;
  }

  get waiting() {
    return this.#waiting.size;
  }

  of(session) {
    return [...this.#waiting.values()].filter((one) => one.session === session);
  }

  async load() {
    if (!this.#app.can("approval.list")) return;
    const {approvals} = await this.#app.call("approval.list");
    for (const one of approvals) if ((one.state ?? "pending") === "pending") this.#waiting.set(one.approval, one);
    this.#changed();
  }

  hear(event) {
    if (event.type === "approval.requested" && new Date(event.data.expires_at) > new Date()) {
      const isNew = !this.#waiting.has(event.data.approval);
      this.#waiting.set(event.data.approval, {...event.data, session: event.session});
      if (isNew && !location.hash.includes(event.session)) this.#app.notice("warn", "Something waits for your approval.");
    } else if (event.type === "approval.decided" || event.type === "approval.expired") {
      this.#waiting.delete(event.data.approval);
    } else if (event.type === "task.finished" || event.type === "session.closed") {
      for (const one of this.of(event.session)) this.#waiting.delete(one.approval);
    } else {
      return;
    }
    this.#changed();
    if (this.#place) this.#draw();
  }

  /** The view of all that waits. */
  async show(place) {
    await this.load();
    this.#place = h("div", {class: "cards"});
    fill(place, h("h1", {}, "Approvals"), this.#place);
    this.#draw();
    return () => { this.#place = null; };
  }

  #draw() {
    const waiting = [...this.#waiting.values()];
    refill(this.#place, waiting.map((one) => one.approval), () => (waiting.length > 0 ? waiting.map((one) => this.card(one)) : empty("Nothing waits for you. When a rule says “ask”, the action appears here before it happens.")));
  }

  /** One approval with its picture and its three answers. */
  card(one) {
    const canvas = h("canvas", {class: "crop", width: 16, height: 9, role: "img", "aria-label": "The part of the screen that the action is for"});
    const left = h("b", {class: "number"});
    const tick = () => {
      const ms = new Date(one.expires_at) - new Date();
      left.textContent = ms > 0 ? `${Math.ceil(ms / 1000)} s left` : "expired";
      if (ms > 0 && card.isConnected) this.#timer = setTimeout(tick, 500);
    };
    const decide = (decision) => async () => {
      const done = await this.#app.attempt("Decision", () => this.#app.call("approval.decide", {approval: one.approval, decision, action_digest: one.action_digest}));
      this.#waiting.delete(one.approval);
      this.#changed();
      card.remove();
      if (done && decision === "take_over") this.#app.go(`/session/${one.session}/`);
    };
    const card = h("article", {class: "card approval", data: {approval: one.approval}, "aria-label": "Approval"},
                   canvas,
                   h("div", {class: "words"},
                     h("header", {}, badge("ask"), left),
                     h("h2", {}, one.summary || inWords(one.action)),
                     one.reason ? h("p", {class: "soft"}, one.reason) : null,
                     facts([["Rule", one.rule], ["Risk", one.risk], ["Step", one.step]]),
                     h("div", {class: "row"}, button("Approve", decide("approve"), "primary"), button("Deny", decide("deny"), "deny"),
                       button("Take over", decide("take_over")))));
    setTimeout(tick);
    this.#drawCrop(canvas, one).catch(() => canvas.replaceWith(h("p", {class: "withheld"}, "The picture is withheld")));
    return card;
  }

  async #drawCrop(canvas, one) {
    if (!one.frame) throw new Error("no picture");
    const hash = typeof one.frame === "string" ? one.frame : one.frame.sha256;
    const {base64} = await this.#app.call("recording.blob", {session: one.session, hash});
    const picture = await createImageBitmap(new Blob([bytesOf(base64)]));
    const crop = one.crop?.width > 0 ? one.crop : {x: 0, y: 0, width: picture.width, height: picture.height};
    const x = Math.max(0, crop.x - aroundPx);
    const y = Math.max(0, crop.y - aroundPx);
    canvas.width = Math.min(picture.width, crop.x + crop.width + aroundPx) - x;
    canvas.height = Math.min(picture.height, crop.y + crop.height + aroundPx) - y;
    const pen = canvas.getContext("2d");
    pen.drawImage(picture, -x, -y);
    picture.close();
    const place = placeOf(one.action);
    if (!place) return;
    for (const [width, colour] of [[5, "#fff"], [2.5, "#e5174f"]]) {
      pen.lineWidth = width;
      pen.strokeStyle = colour;
      pen.beginPath();
      pen.arc(place.x - x, place.y - y, 11, 0, 7);
      pen.stroke();
    }
  }
}
