// SPDX-License-Identifier: Apache-2.0
// What is past: recordings, their tasks step by step with pictures, and the report as a file.
import {badge, button, empty, facts, fill, h, seconds, timeOfId} from "./dom.js";
import {Screen} from "./screen.js";
import {Story, markStep, stepLine} from "./steps.js";

const pageEvents = 500;
const linesMax = 100; // newest first

async function recordings(app) {
  if (app.can("recording.list")) return (await app.call("recording.list")).recordings;
  return (await app.call("session.list")).sessions;
}

async function read(app, session) {
  const story = new Story();
  let next = 1;
  if (!app.can("recording.read")) return story;
  for (;;) {
    const page = await app.call("recording.read", {session, from_seq: next, n: pageEvents});
    for (const event of page.events) story.take(event);
    if (page.is_end || page.events.length === 0) return story;
    next = page.next_seq ?? page.events.at(-1).seq + 1;
  }
}

/** Saves the report: as a file, since this page's own policy would take its style away. */
async function save(app, session, format) {
  const made = await app.attempt("Export", () => app.call("recording.export", {session, format}));
  if (!made) return;
  const url = URL.createObjectURL(new Blob([made.text], {type: "application/octet-stream"}));
  h("a", {href: url, download: `handeye-${session}.${format}`}).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

function showStep(screen, about, step) {
  screen.clearMarks();
  screen.show((step.frames.before ?? step.frames.after)?.frame).catch(() => {});
  markStep(screen, step);
  fill(about, h("p", {class: "thought"}, step.proposed?.thought ?? ""), h("p", {class: "saying"}, step.proposed?.call ?? step.proposed?.error ?? ""),
       step.gated ? facts([["Policy", badge(step.gated.gate)], ["Rule", step.gated.rule], ["Sent by", step.executed?.route]]) : null);
}

async function showRecording(app, place, session) {
  const story = await read(app, session);
  const about = h("div", {class: "about"});
  const screen = new Screen(app, {session, width_px: story.size?.width, height_px: story.size?.height});
  const lists = story.tasks.map((task) => {
    const list = h("ol", {class: "steps"});
    const choose = (chosen) => {
      fill(list, task.steps.map((step) => stepLine(step, step === chosen, choose)));
      showStep(screen, about, chosen);
    };
    fill(list, task.steps.map((step) => stepLine(step, false, choose)));
    return h("section", {}, h("h2", {}, story.tasks.length > 1 ? task.goal : "Steps"),
             h("p", {class: "row"}, badge(task.end?.outcome ?? "unfinished"), h("span", {class: "soft"}, [task.end?.message, seconds(task.end?.wall_ms)].filter(Boolean).join(" · "))),
             list);
  });
  const files = app.can("recording.export") ? [button("Save the report (HTML)", () => save(app, session, "html")), button("Save the events (JSON lines)", () => save(app, session, "jsonl"))] : null;
  fill(place, h("p", {}, h("a", {href: "#/timeline"}, "← All recordings")),
       h("div", {class: "headline"}, h("h1", {}, story.task?.goal ?? "No task"), story.task?.end ? badge(story.task.end.outcome) : null),
       facts([["Opened", timeOfId(session).toLocaleString()], ["Model", story.model], ["Tasks", story.tasks.length], ["Session", session]]),
       h("div", {class: "row"}, files),
       h("div", {class: "live"}, h("section", {class: "stage"}, screen.element, about),
         h("section", {class: "card side"}, lists.length > 0 ? lists : empty("This session had no task."))));
  const first = story.tasks[0]?.steps[0];
  if (first) showStep(screen, about, first);
}

function line(app, one) {
  const goal = h("span", {class: "what"}, "…");
  firstGoal(app, one.session).then((text) => { goal.textContent = text; }, () => { goal.textContent = "cannot be read"; });
  return h("li", {class: "line"}, h("a", {href: `#/timeline/${one.session}`}, goal,
             h("span", {class: "soft number"}, [timeOfId(one.session).toLocaleString(), Number.isFinite(one.size_bytes) ? `${Math.ceil(one.size_bytes / 1024)} KiB` : ""]
               .filter(Boolean).join(" · "))),
           badge(one.state ?? (one.open ? "open" : "closed")));
}

// A recording's name for a person is what was asked for first; it stands within the first events.
async function firstGoal(app, session) {
  if (!app.can("recording.read")) return "";
  const {events} = await app.call("recording.read", {session, from_seq: 1, n: 8});
  return events.find((event) => event.type === "task.started")?.data.goal ?? "No task";
}

export async function showTimeline(app, place, session) {
  if (session) return showRecording(app, place, session);
  const all = await recordings(app);
  fill(place, h("h1", {}, "Timeline"), h("section", {class: "card"}, h("ul", {class: "lines"},
    all.length > 0 ? [...all].sort((a, b) => (a.session < b.session ? 1 : -1)).slice(0, linesMax).map((one) => line(app, one)) : h("li", {}, empty("Nothing is recorded yet.")))));
}
