// SPDX-License-Identifier: Apache-2.0
// What waits for a person: each action with its picture, the rule that asked, and the time left; and what task files ask.
import {button, bytesOf, count, empty, facts, fill, h, refill} from "./dom.js";
import {questionCard} from "./questions.js";
import {lastTasks, nameOf} from "./sessions.js";
import {inWords, timeLeft, visible} from "./words.js";

const aroundPx = 60; // shown around the part that must stay as it is
const claimMax = 80; // letters of what the model calls its target
const atAGlance = 160; // letters of a text; a longer one is to be scrolled through, which is said
const ringPx = 18; // wide enough not to cover the word on a button

/** Where the action goes, in target pixels. */
function placeOf(action) {
  const first = action?.target?.[0];
  return first ? {x: first.x, y: first.y} : null;
}

/** Approvals and questions stand in one list: each has its own id. */
export const idOf = (one) => one.approval ?? one.question;

export class Approvals {
  #app;
  #waiting = new Map(); // id -> {session, approval or question, ...}
  #place = null;
  #changed;

  constructor(app, changed) {
    this.#app = app;
    this.#changed = changed;
  }

  get waiting() {
    return this.#waiting.size;
  }

  /** "2 approvals and 1 question wait", or nothing. */
  get words() {
    const questions = [...this.#waiting.values()].filter((one) => one.question).length;
    const counts = [[this.waiting - questions, "approval"], [questions, "question"]].filter(([number]) => number > 0);
    const said = counts.map(([number, noun]) => `${number} ${noun}${number === 1 ? "" : "s"}`).join(" and ");
    return said ? `${said} ${this.waiting === 1 ? "waits" : "wait"}` : "";
  }

  of(session) {
    return [...this.#waiting.values()].filter((one) => one.session === session);
  }

  async load() {
    for (const [method, name] of [["approval.list", "approvals"], ["question.list", "questions"]]) {
      const rows = this.#app.can(method) ? (await this.#app.call(method))[name] : [];
      for (const one of rows) if ((one.state ?? "pending") === "pending") this.#waiting.set(idOf(one), one);
    }
    this.#changed();
  }

  hear(event) {
    if (["approval.requested", "question.asked"].includes(event.type) && new Date(event.data.expires_at) > new Date()) {
      this.#waiting.set(idOf(event.data), {...event.data, session: event.session});
    } else if (["approval.decided", "approval.expired", "question.settled"].includes(event.type)) {
      this.#waiting.delete(idOf(event.data));
    } else if (event.type === "task.finished" || event.type === "session.closed") {
      for (const one of this.of(event.session)) this.#waiting.delete(idOf(one));
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
    refill(this.#place, waiting.map(idOf), () => (waiting.length > 0 ? waiting.map((one) => this.card(one, this.#origin(one)))
      : empty("Nothing waits for you. When a rule says “ask”, the action appears here before it happens; so does what a task file asks you.")));
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

  /** It waits no more: its card goes, and what had the focus in it. */
  #settle(one, card) {
    this.#waiting.delete(idOf(one));
    this.#changed();
    if (card.contains(document.activeElement)) document.getElementById("main").focus({preventScroll: true});
    card.remove();
  }

  /** What a person can say to it; `origin` stands where nothing around it says what it is for. */
  card(one, origin = []) {
    return one.question ? questionCard(this.#app, one, origin, (card) => this.#settle(one, card)) : this.#approvalCard(one, origin);
  }

  #approvalCard(one, origin) {
    const canvas = h("canvas", {class: "crop", width: 16, height: 9, role: "img", "aria-label": "The part of the screen that the action is for"});
    const decide = (decision) => async () => {
      const done = await this.#app.attempt("Decision", () => this.#app.call("approval.decide", {approval: one.approval, decision, action_digest: one.action_digest}));
      this.#settle(one, card);
      if (done && decision === "take_over") this.#app.go(`/session/${one.session}/`);
    };
    const words = inWords(one.action);
    const {element_info: own = "", text = ""} = one.action?.action ?? {}; // the model's claim stands apart from what is so
    const where = /\((.*)\)$/s.exec(one.reason)?.[1] ?? ""; // the rule, and where it is written
    const isSaid = where.startsWith(one.rule);
    const card = h("article", {class: "card approval", data: {approval: one.approval}, "aria-label": `Approval: ${words}`},
                   canvas,
                   h("div", {class: "words"},
                     h("header", {}, h("span", {}, `Step ${one.step ?? "?"}: it wants to`), timeLeft(one.expires_at)),
                     h("h2", {class: "deed"}, words),
                     isSaid ? null : h("p", {class: "soft"}, one.reason),
                     facts([...origin, ["Window", one.window ? visible(one.window.title || one.window.app || "without a title") : ""], ["Letters", text.length > atAGlance ? count(text.length) : ""], ["The model calls it", own ? `“${visible(own.slice(0, claimMax))}”` : ""], ["Asked by", isSaid ? where : one.rule], ["Risk", one.risk]]),
                     h("div", {class: "row"}, button("Approve", decide("approve"), "primary"), button("Deny", decide("deny"), "deny"),
                       button("Take over", decide("take_over")))));
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
