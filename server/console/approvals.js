// SPDX-License-Identifier: Apache-2.0
// What waits for a person: each action with its picture, the rule that asked, and the time left.
import {button, bytesOf, count, duration, empty, facts, fill, h, refill} from "./dom.js";
import {lastTasks, nameOf} from "./sessions.js";
import {inWords, visible} from "./words.js";

const aroundPx = 60; // shown around the part that must stay as it is
const claimMax = 80; // letters of what the model calls its target
const atAGlance = 160; // letters of a text; a longer one is to be scrolled through, which is said
const ringPx = 18; // wide enough not to cover the word on a button

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
      this.#waiting.set(event.data.approval, {...event.data, session: event.session});
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
    refill(this.#place, waiting.map((one) => one.approval), () => (waiting.length > 0 ? waiting.map((one) => this.card(one, this.#origin(one)))
      : empty("Nothing waits for you. When a rule says “ask”, the action appears here before it happens.")));
  }

  /** Where several sessions' approvals stand together: what each is for, with a way there. */
  #origin({session}) {
    const goal = h("span", {class: "goal"}, "…");
    const way = h("a", {href: `#/session/${session}`}, nameOf({session}));
    const find = async () => {
      const [status, tasks] = await Promise.all([this.#app.call("session.get", {session}), lastTasks(this.#app, {session})]);
      way.textContent = nameOf(status);
      goal.textContent = tasks.get(session)?.goal ?? "No task";
    };
    find().catch(() => { goal.textContent = "cannot be read"; });
    return [["Goal", goal], ["Session", way]];
  }

  /** One approval with its picture and its three answers; `origin` stands where nothing around it says what it is for. */
  card(one, origin = []) {
    const canvas = h("canvas", {class: "crop", width: 16, height: 9, role: "img", "aria-label": "The part of the screen that the action is for"});
    const left = h("b", {class: "number", role: "timer"});
    const tick = () => {
      const ms = new Date(one.expires_at) - new Date();
      left.textContent = ms > 0 ? `${duration(Math.ceil(ms / 1000) * 1000)} left` : "expired";
      if (ms > 0 && card.isConnected) this.#timer = setTimeout(tick, 500);
    };
    const decide = (decision) => async () => {
      const done = await this.#app.attempt("Decision", () => this.#app.call("approval.decide", {approval: one.approval, decision, action_digest: one.action_digest}));
      this.#waiting.delete(one.approval);
      this.#changed();
      if (card.contains(document.activeElement)) document.getElementById("main").focus({preventScroll: true});
      card.remove();
      if (done && decision === "take_over") this.#app.go(`/session/${one.session}/`);
    };
    const words = inWords(one.action);
    const {element_info: own = "", text = ""} = one.action?.action ?? {}; // the model's claim stands apart from what is so
    const where = /\((.*)\)$/s.exec(one.reason)?.[1] ?? ""; // the rule, and where it is written
    const isSaid = where.startsWith(one.rule);
    const card = h("article", {class: "card approval", data: {approval: one.approval}, "aria-label": `Approval: ${words}`},
                   canvas,
                   h("div", {class: "words"},
                     h("header", {}, h("span", {}, `Step ${one.step ?? "?"}: it wants to`), left),
                     h("h2", {class: "deed"}, words),
                     isSaid ? null : h("p", {class: "soft"}, one.reason),
                     facts([...origin, ["Window", one.window ? visible(one.window.title || one.window.app || "without a title") : ""], ["Letters", text.length > atAGlance ? count(text.length) : ""], ["The model calls it", own ? `“${visible(own.slice(0, claimMax))}”` : ""], ["Asked by", isSaid ? where : one.rule], ["Risk", one.risk]]),
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
    for (const [width, colour] of [[4.5, "#fff"], [2.5, "#e5174f"]]) {
      pen.lineWidth = width;
      pen.strokeStyle = colour;
      pen.beginPath();
      pen.arc(place.x - x, place.y - y, ringPx, 0, 7);
      pen.stroke();
    }
  }
}
