// SPDX-License-Identifier: Apache-2.0
// One session as it happens: its screen, what the model thinks and does, and the controls over it.
import {badge, button, duration, empty, field, fill, h, meter, refill, seconds, splitThinking} from "./dom.js";
import {idOf} from "./approvals.js";
import {Screen} from "./screen.js";
import {Story, markStep, stepLine, wordsOf} from "./steps.js";

const leaseMs = 60_000;

class Live {
  #app;
  #session;
  #story = new Story();
  #screen;
  #state = "idle";
  #holder = "";
  #lease = null;
  #leaseTimer = 0;
  #written = "";
  #characters = 0;
  #isAtNow = false; // the past is replayed without a picture for each step
  #pending = 0;
  #ends = [];
  #parts = {};

  constructor(app, session) {
    this.#app = app;
    this.#session = session;
    this.#screen = new Screen(app, session);
  }

  async show(place, wantsTakeOver) {
    const parts = this.#parts;
    for (const name of ["head", "controls", "approvals", "steps", "meters", "keyboard"]) parts[name] = h("div", {class: name});
    parts.steps = h("ol", {class: "steps"});
    parts.thinking = h("p", {class: "thought"});
    parts.answer = h("p", {class: "saying"});
    parts.thinkingBox = h("details", {open: true, class: "thinking"}, h("summary", {}, "Thinking"), parts.thinking);
    fill(place, parts.head, h("div", {class: "live"},
      h("section", {class: "stage"}, parts.approvals, this.#screen.element, parts.keyboard, parts.controls),
      h("section", {class: "card side", "aria-label": "What the model does"}, parts.meters,
        h("div", {class: "mind", "aria-live": "off"}, h("h2", {}, "Now"), parts.thinkingBox, parts.answer),
        h("h2", {}, "Steps"), parts.steps, this.#newTask())));
    this.#listen();
    await this.#catchUp();
    if (wantsTakeOver) await this.#takeOver();
    return () => this.#end();
  }

  #listen() {
    const {client} = this.#app;
    const id = this.#session.session;
    this.#ends.push(client.on("event", (event) => event.session === id && this.#hear(event)));
    this.#ends.push(client.on("engine.progress", (note) => note.session === id && this.#write(note)));
    const ticking = setInterval(() => this.#drawMeters(), 1000);
    this.#ends.push(() => clearInterval(ticking));
  }

  async #catchUp() {
    const last = this.#session.last_seq ?? 0;
    this.#isAtNow = last === 0;
    const sub = await this.#app.call("events.subscribe", {sessions: [this.#session.session], from_seq: 1, progress: true});
    this.#ends.push(() => this.#app.client.isOpen && this.#app.call("events.unsubscribe", sub).catch(() => {}));
    await this.#screen.start().catch((error) => this.#app.notice("warn", `Live picture: ${error.message}`));
    if (!this.#screen.isLive) await this.#screen.capture().catch(() => {}); // busy: the frames of the log are shown
    if (this.#session.task) {
      const task = await this.#app.call("task.get", {task: this.#session.task}).catch(() => null);
      this.#state = task?.state ?? this.#state;
    }
    this.#draw();
  }

  #seen = 0;

  #hear(event) {
    if (event.seq !== this.#seen + 1) return; // the console's other subscription brings some of them early, or again
    this.#seen = event.seq;
    const {type, data} = event;
    const step = this.#story.take(event);
    this.#isAtNow = this.#isAtNow || event.seq >= (this.#session.last_seq ?? 0);
    if (type === "session.opened") this.#screen.setTarget(this.#story.size);
    if (type === "task.started") this.#state = "running";
    if (type === "task.state") this.#state = data.state;
    if (type === "task.finished") this.#state = "finished";
    if (type === "session.closed") this.#state = "closed";
    if (type === "control.lease") this.#hearLease(data);
    if (type === "prompt.built") this.#write({characters: 0, tail: ""});
    if (type === "action.proposed" && step) this.#say(data);
    if (type === "action.executed" && step && this.#isAtNow) markStep(this.#screen, step);
    if (type === "observation.captured" && this.#isAtNow) {
      if (data.when === "before") this.#screen.clearMarks();
      this.#screen.show(data.frame).catch(() => {});
    }
    this.#drawSoon();
  }

  #hearLease({holder}) {
    this.#holder = holder;
    if (this.#lease && holder !== "human") this.#lostLease();
  }

  // The tail is the newest part of the answer: what is new of it goes behind what is there.
  #write({characters, tail}) {
    const fresh = characters - this.#characters;
    this.#written = fresh >= 0 && this.#characters > 0 && fresh <= tail.length ? this.#written + tail.slice(tail.length - fresh) : tail;
    this.#characters = characters;
    this.#showWriting(this.#written);
  }

  #showWriting(text) {
    const {thinking, answer} = splitThinking(text);
    this.#parts.thinking.textContent = thinking || (text ? "" : "…");
    this.#parts.answer.textContent = answer;
  }

  #say({thought, call}) {
    this.#written = "";
    this.#characters = 0;
    this.#parts.thinking.textContent = thought || "(no words)";
    this.#parts.answer.textContent = call ?? "";
  }

  #drawSoon() {
    this.#pending ||= requestAnimationFrame(() => this.#draw());
  }

  #draw() {
    this.#pending = 0;
    const task = this.#story.task;
    const end = task?.end;
    fill(this.#parts.head,
         h("div", {class: "headline"}, h("h1", {}, task?.goal ?? (this.#state === "closed" ? "No task" : "No task yet")), badge(end?.outcome ?? this.#state),
           this.#holder === "human" && this.#state !== "human" ? badge("human") : null),
         end?.message ? h("p", {class: "soft"}, end.message) : null, end?.answer ? h("p", {class: "answer"}, end.answer) : null);
    const steps = task?.steps ?? [];
    refill(this.#parts.steps, [task?.id, steps.map((step) => [step.number, wordsOf(step), step.result])], () =>
      (steps.length > 0 ? steps.map((step) => stepLine(step, step === steps.at(-1), (one) => this.#look(one))).reverse() : h("li", {}, empty("Nothing done yet."))));
    const waiting = this.#app.approvals.of(this.#session.session);
    refill(this.#parts.approvals, waiting.map(idOf), () => waiting.map((one) => this.#app.approvals.card(one)));
    this.#drawControls();
    this.#drawMeters();
  }

  #drawControls() {
    const {can} = this.#app;
    const isRunning = this.#story.task && !this.#story.task.end && this.#state !== "closed";
    const isPaused = ["paused", "human"].includes(this.#state);
    const task = this.#story.task?.id ?? this.#session.task;
    const ask = (what, method) => button(what, () => this.#app.attempt(what, () => this.#app.call(method, {task})));
    refill(this.#parts.controls, [isRunning, isPaused, task, this.#lease !== null, this.#state === "closed"], () => [
         isRunning && can("task.pause") && !isPaused ? ask("Pause", "task.pause") : null,
         isRunning && can("task.resume") && isPaused ? ask("Resume", "task.resume") : null,
         isRunning && can("task.step") && isPaused ? ask("One step", "task.step") : null,
         isRunning ? ask("Cancel the task", "task.cancel") : null,
         !can("control.acquire") || this.#state === "closed" ? null
           : this.#lease ? button("Give back", () => this.#giveBack(), "primary") : button("Take over", () => this.#takeOver())]);
  }

  #drawMeters() {
    const task = this.#story.task;
    if (!task) return;
    const budget = {...this.#story.budget, ...task.budget};
    const wall = task.end?.wall_ms ?? Date.now() - new Date(task.startedAt);
    fill(this.#parts.meters, meter("Steps", task.steps.length, budget.steps_max), meter("Tokens", task.tokens, budget.tokens_max),
         meter("Time", wall, budget.wall_ms_max ?? 0, duration));
  }

  #look(step) {
    this.#screen.clearMarks();
    this.#screen.show((step.frames.before ?? step.frames.after)?.frame).catch(() => {});
    markStep(this.#screen, step);
    this.#parts.thinking.textContent = step.proposed?.thought || "(no words)";
    this.#parts.answer.textContent = `Step ${step.number}: ${step.proposed?.call ?? ""} ${step.timings ? `(${seconds(step.timings.generate)} to think)` : ""}`;
  }

  async #takeOver() {
    const session = this.#session.session;
    const held = await this.#app.attempt("Take over", () => this.#app.call("control.acquire", {session, mode: "human", ttl_ms: leaseMs}));
    if (!held) return;
    this.#lease = held.lease;
    // A new lease takes the place of the old one; it waits its turn behind the input that still names the old one.
    this.#leaseTimer = setInterval(() => this.#screen.act("control.acquire", {mode: "human", ttl_ms: leaseMs}), leaseMs / 3);
    this.#screen.hold((method, params) => this.#sendHeld(method, params));
    fill(this.#parts.keyboard, this.#softKeyboard());
    this.#drawSoon();
  }

  async #sendHeld(method, params) {
    const session = this.#session.session;
    const isRenewal = method === "control.acquire";
    const done = await this.#app.attempt(isRenewal ? "Keeping the screen" : "Input",
                                         () => this.#app.call(method, isRenewal ? {session, ...params} : {session, lease: this.#lease, ...params}));
    if (isRenewal && this.#lease) {
      if (done) this.#lease = done.lease;
      else this.#lostLease();
    }
    if (!this.#screen.isLive) await this.#screen.capture().catch(() => {});
  }

  // For a phone: what has no key there.
  #softKeyboard() {
    const text = h("input", {placeholder: "Type on the screen", "aria-label": "Text to type on the screen", autocomplete: "off", autocapitalize: "off", enterkeyhint: "send"});
    const send = (event) => {
      event.preventDefault();
      this.#screen.type(text.value);
      text.value = "";
    };
    const key = (label, name) => button(label, () => this.#screen.press([name]), "quiet", {"aria-label": `Press ${name}`, title: `Press ${name}`});
    return [h("p", {class: "note plain"}, "You have the screen: the model waits. Mouse and keyboard go to it; Shift+Esc leaves it."),
            h("form", {class: "row", on: {submit: send}}, text, h("button", {type: "submit", class: "quiet"}, "Type"), key("Enter", "enter"),
              key("Tab", "tab"), key("Esc", "escape"), key("⌫", "backspace"))];
  }

  async #giveBack() {
    const lease = this.#lease;
    this.#lostLease();
    await this.#app.attempt("Give back", () => this.#app.call("control.release", {session: this.#session.session, lease}));
  }

  #lostLease() {
    clearInterval(this.#leaseTimer);
    this.#lease = null;
    this.#screen.letGo();
    fill(this.#parts.keyboard);
    this.#drawSoon();
  }

  #newTask() {
    const goal = h("textarea", {rows: 2, "aria-label": "Goal", placeholder: "The next goal, or a note to the running task"});
    const send = async () => {
      const task = this.#story.task;
      const isRunning = task && !task.end;
      const text = goal.value.trim();
      if (!text) return;
      const done = isRunning && this.#app.can("task.amend")
        ? await this.#app.attempt("Note", () => this.#app.call("task.amend", {task: task.id, note: text}))
        : await this.#app.attempt("New task", () => this.#app.call("task.run", {session: this.#session.session, goal: text}));
      if (done) goal.value = "";
    };
    return h("details", {class: "next"}, h("summary", {}, "Another task, or a note"), field("", goal), h("div", {class: "row"}, button("Send", send, "primary")));
  }

  async #end() {
    for (const end of this.#ends) end();
    if (this.#lease) await this.#giveBack();
    await this.#screen.stop();
  }
}

/** `id` of an open session; with a slash behind it the person takes over at once. */
export async function showLive(app, place, id) {
  const wantsTakeOver = location.hash.endsWith("/");
  const session = await app.call("session.get", {session: id});
  return new Live(app, session).show(place, wantsTakeOver);
}
