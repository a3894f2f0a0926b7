// SPDX-License-Identifier: Apache-2.0
// The console: gets in with its one-time ticket, shows the view that the address names, and keeps Stop in reach.
import {button, fill, h, icon} from "./dom.js";
import {Client, methods} from "./protocol.js";
import {Approvals} from "./approvals.js";
import {showChat} from "./chat.js";
import {showEngine} from "./engine.js";
import {showLive} from "./live.js";
import {showSessions} from "./sessions.js";
import {showTimeline} from "./timeline.js";

const ticketKey = "handeye.ticket";
const views = {
  sessions: {title: "Sessions", show: showSessions},
  approvals: {title: "Approvals", show: (app, place) => app.approvals.show(place)},
  timeline: {title: "Timeline", show: showTimeline},
  engine: {title: "Engine", show: showEngine},
  chat: {title: "Chat", show: showChat},
  session: {title: "Session", show: showLive, isHidden: true},
};
const quietTypes = ["approval.requested", "approval.decided", "approval.expired", "question.asked", "question.settled", "control.stop", "control.lease", "session.opened",
                    "session.closed", "session.state", "task.started", "task.state", "task.finished", "engine.finished"];

const place = document.getElementById("main");
const stopButton = document.getElementById("stop");
const resetButton = document.getElementById("reset");
let endView = null;

const app = {
  client: new Client(),
  approvals: null,
  limits: {},
  scopes: [],
  can: (method) => method in methods,
  call: (method, params) => app.client.call(method, params),
  /** Does something that may be refused, and says so. */
  async attempt(what, action) {
    try {
      return await action();
    } catch (error) {
      notice("bad", `${what}: ${error.message}`);
      return undefined;
    }
  },
  notice,
  tokensPerSecond: NaN,
  /** Of the newest answer, whoever asked: {usage, timings_ms}. */
  hearSpeed({usage, timings_ms: timings}) {
    if (usage?.completion_tokens > 1 && timings?.decode > 0) app.tokensPerSecond = (usage.completion_tokens / timings.decode) * 1000;
  },
  go: (address) => { location.hash = address; },
};

/** Says something for a while; an error stays until it is put away. */
function notice(kind, text) {
  const line = h("p", {class: `note ${kind}`}, text, button("Dismiss", () => line.remove(), "link"));
  document.getElementById("notices").append(line);
  if (kind !== "bad") setTimeout(() => line.remove(), 6000);
}

/** The ticket of the address leaves it at once, whole or not; the one of a reload waits in this tab's own store. */
function takeTicket() {
  const found = /^#ticket=(.*)$/.exec(location.hash);
  if (found) history.replaceState(null, "", location.pathname);
  const ticket = found?.[1] || sessionStorage.getItem(ticketKey);
  sessionStorage.removeItem(ticketKey);
  return ticket ?? "";
}

function showLatch(isLatched) {
  resetButton.hidden = !isLatched;
  document.body.classList.toggle("latched", isLatched);
}

async function stopAll() {
  stopButton.disabled = true;
  const done = await app.attempt("Stop", () => app.call("control.stop_all", {reason: "console"}));
  stopButton.disabled = false;
  if (done) {
    showLatch(true);
    notice("warn", `Stopped ${done.stopped_tasks === 1 ? "1 task" : `${done.stopped_tasks} tasks`}; nothing is pressed. No task starts until you allow it again.`);
  }
}

async function reset() {
  if (await app.attempt("Allow tasks again", () => app.call("control.reset_stop"))) {
    showLatch(false);
    notice("plain", "Tasks may run again.");
  }
}

function address() {
  const [view, argument = ""] = location.hash.replace(/^#\/?/, "").split("/");
  return views[view] ? {view, argument: decodeURIComponent(argument)} : {view: "sessions", argument: ""};
}

const tabs = Object.entries(views).filter(([, view]) => !view.isHidden).map(([name, view]) => {
  const bubble = name === "approvals" ? h("b", {class: "bubble", hidden: true}) : null;
  return {name, bubble, link: h("a", {href: `#/${name}`}, icon(name), h("span", {}, view.title), bubble)};
});

/** What is in view, and what waits: in the tabs, in the window's title, and in words for who does not see them. */
function showWhere() {
  const {view} = address();
  const {waiting} = app.approvals;
  for (const {name, bubble, link} of tabs) {
    if (name === view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
    if (!bubble) continue;
    bubble.hidden = waiting === 0;
    bubble.textContent = waiting;
    link.classList.toggle("waits", waiting > 0);
  }
  const {words} = app.approvals;
  const status = document.getElementById("waits");
  if (status.textContent !== words) status.textContent = words;
  document.title = `${waiting > 0 ? `(${waiting}) ` : ""}${views[view].title} · handeye console`;
}

async function route() {
  const {view, argument} = address();
  endView?.();
  endView = null;
  showWhere();
  fill(place);
  if (document.getElementById("tabs").contains(document.activeElement)) place.focus({preventScroll: true});
  const end = await app.attempt(views[view].title, () => views[view].show(app, place, argument));
  if (address().view === view && address().argument === argument) endView = end ?? null;
  else end?.();
}

function showOut(reason) {
  const link = document.getElementById("link");
  link.textContent = "disconnected";
  link.className = "badge bad";
  stopButton.disabled = true;
  resetButton.hidden = true;
  removeEventListener("hashchange", route);
  endView?.();
  endView = null;
  fill(document.getElementById("tabs"));
  document.title = "Not connected · handeye console";
  fill(place, h("section", {class: "card gate"}, h("h1", {}, "This page is not connected"), h("p", {}, reason),
                h("p", {}, "Tasks go on without it. To come back, run this in a terminal on the same machine; it opens a new page:"), h("pre", {}, "handeye console"),
                h("p", {class: "soft"}, "Its address lets one page in, once, and within a minute: a bookmark of it, or a second tab, comes too late."),
                h("p", {class: "soft"}, "To stop everything without the console: ", h("code", {}, "handeye stop"), " or ",
                  h("code", {}, "kill -USR1"), " at the daemon.")));
}

async function enter() {
  const ticket = takeTicket();
  if (!ticket) return showOut("It was opened without a ticket.");
  try {
    const identity = await app.client.connect(`ws://${location.host}/ws`, {ticket, client: "console"});
    sessionStorage.setItem(ticketKey, identity.return_ticket ?? "");
    app.limits = identity.limits;
    app.scopes = identity.scopes;
  } catch (error) {
    return showOut(`The daemon did not let it in: ${error.message}.`);
  }
  app.client.on("close", ({reason}) => showOut(reason ? `The daemon closed the connection: ${reason}.` : "The connection to the daemon ended."));
  const link = document.getElementById("link");
  link.textContent = "connected";
  link.className = "badge ok";
  app.approvals = new Approvals(app, showWhere);
  app.client.on("event", (event) => {
    if (event.type === "control.stop") showLatch(true);
    if (event.type === "engine.finished") app.hearSpeed(event.data);
    app.approvals.hear(event);
  });
  await app.attempt("Events", () => app.call("events.subscribe", {types: quietTypes}));
  await app.approvals.load();
  showLatch((await app.call("connection.info")).stop_latched);
  fill(document.getElementById("tabs"), tabs.map(({link: tab}) => tab));
  addEventListener("hashchange", route);
  return route();
}

addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !event.defaultPrevented) document.getElementById("notices").lastElementChild?.remove();
});
stopButton.addEventListener("click", stopAll);
resetButton.addEventListener("click", reset);
enter();
