// SPDX-License-Identifier: Apache-2.0
// The sessions that are there, and the form for a new one with its task.
import {badge, button, clock, empty, field, fill, h, refill, timeOfId} from "./dom.js";

const passingLookMs = 500; // an event may be here before the state it tells of
const listTypes = ["session.opened", "session.closed", "session.state", "task.started", "task.state", "task.finished"];

/** The newest task of each session, or of one of them: what was asked for and what came of it. */
export async function lastTasks(app, which = {}) {
  const {tasks} = await app.call("task.list", which);
  return new Map(tasks.map((task) => [task.session, task])); // oldest first in each session
}

/** What a person may call it: its name, or when it was opened. */
export function nameOf({session, name}) {
  return name || `Session of ${clock(timeOfId(session))}`;
}

function row(app, session, task) {
  const isClosed = ["closed", "failed"].includes(session.state);
  const size = session.width_px ? `${session.width_px}×${session.height_px}` : "";
  return h("li", {class: "line"},
           h("a", {href: `#/${isClosed ? "timeline" : "session"}/${session.session}`},
             h("span", {class: "what"}, task?.goal ?? (isClosed ? "No task" : "No task yet")),
             h("span", {class: "soft number"}, [task ? session.state : "", session.name, session.platform, size, clock(timeOfId(session.session))].filter(Boolean).join(" · "))),
           badge(task ? task.outcome ?? task.state : session.state),
           isClosed || session.state === "closing" ? null : button("Close", () => app.attempt("Close", () => app.call("session.close", {session: session.session})), "quiet", {
             "aria-label": `Close the session of ${clock(timeOfId(session.session))}`}));
}

/** What the form says, as session.create takes it. */
function targetOf(form) {
  const target = {};
  if (form.where.value === "headless") target.headless = form.size.value.trim();
  if (form.where.value === "window") target.window = form.window.value.trim();
  const launch = form.launch.value.split("\n").map((line) => line.trim()).filter(Boolean);
  return {...target, ...(launch.length > 0 ? {launch} : {})};
}

function taskOf(form) {
  const budget = {};
  if (form.steps.value) budget.max_steps = Number(form.steps.value);
  if (form.minutes.value) budget.max_seconds = Number(form.minutes.value) * 60;
  if (form.tokens.value) budget.max_tokens = Number(form.tokens.value);
  const ask = {rules: [{name: "ask me first", effect: "ask"}], otherwise: "ask"};
  return {goal: form.goal.value, budget, ...(form.care.value === "ask" ? {policy: ask} : {})};
}

async function start(app, event) {
  event.preventDefault();
  const form = event.target.elements;
  const send = form.send;
  send.disabled = true;
  const session = await app.attempt("New session", () => app.call("session.create", {platform: form.platform.value, target: targetOf(form)}));
  if (session && form.goal.value.trim()) {
    await app.attempt("New task", () => app.call("task.run", {session: session.session, ...taskOf(form)}));
  }
  send.disabled = false;
  if (session) app.go(`/session/${session.session}`);
}

function form(app) {
  const size = field("Size", h("input", {name: "size", value: "1280x800", pattern: "[0-9]+x[0-9]+", inputmode: "text"}));
  const window = field("Window title", h("input", {name: "window", placeholder: "part of its title"}));
  window.hidden = true;
  const where = h("select", {name: "where", on: {change: () => {
    size.hidden = where.value !== "headless";
    window.hidden = where.value !== "window";
  }}}, h("option", {value: "headless"}, "Headless screen"), h("option", {value: "window"}, "One window"),
                  h("option", {value: "screen"}, "The whole screen"));
  return h("form", {class: "card start", on: {submit: (event) => start(app, event)}},
           h("h2", {}, "New session"),
           field("Goal", h("textarea", {name: "goal", rows: 3, maxlength: 65536, placeholder: "Set Name to Ada, tick Agree and click Save."}),
                 "What the screen should look like when it is done. Empty: only open the session."),
           h("div", {class: "columns"},
             field("Platform", h("select", {name: "platform"}, h("option", {value: "x11"}, "Linux (X11)"))),
             field("Where", where), size, window),
           field("Programs to start", h("textarea", {name: "launch", rows: 1, spellcheck: false, placeholder: "one command line each"})),
           h("div", {class: "columns"},
             field("Steps", h("input", {name: "steps", type: "number", min: 1, max: 10000, value: "50"})),
             field("Minutes", h("input", {name: "minutes", type: "number", min: 0.1, max: 10080, step: "any", value: "60"})),
             field("Tokens", h("input", {name: "tokens", type: "number", min: 1, max: 1000000000, value: "1000000"})),
             app.can("approval.decide") ? field("Actions", h("select", {name: "care"}, h("option", {value: "allow"}, "By the policy"),
                                                            h("option", {value: "ask"}, "Ask me first")))
               : h("input", {type: "hidden", name: "care", value: "allow"})),
           h("div", {class: "row"}, h("button", {name: "send", type: "submit", class: "primary"}, "Start")));
}

export async function showSessions(app, place) {
  const list = h("ul", {class: "lines"});
  let timer = 0;
  const refresh = async () => {
    clearTimeout(timer);
    const [{sessions}, tasks] = await Promise.all([app.call("session.list"), lastTasks(app)]);
    const rows = sessions.reverse().map((session) => [session, tasks.get(session.session)]);
    refill(list, rows.map(([{session, state, name, width_px: width}, task]) => [session, state, name, width, task?.task, task?.state, task?.outcome]), () =>
      (rows.length > 0 ? rows.map(([session, task]) => row(app, session, task)) : h("li", {}, empty("No session is open. Give a goal and press Start."))));
    if (list.isConnected && sessions.some(({state}) => ["opening", "closing"].includes(state))) timer = setTimeout(() => refresh().catch(() => {}), passingLookMs);
  };
  fill(place, h("div", {class: "two"}, h("section", {class: "card"}, h("h1", {}, "Sessions"), list), form(app)));
  const off = app.client.on("event", (event) => {
    if (listTypes.includes(event.type)) refresh().catch(() => {});
  });
  await refresh();
  return off;
}
