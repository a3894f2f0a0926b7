// SPDX-License-Identifier: Apache-2.0
// A session's events, folded into tasks and steps, and how a step looks in a list. Used live and for what is past.
import {badge, h, seconds} from "./dom.js";
import {inWords} from "./words.js";

/** Takes events in order; `tasks` is what they say so far. */
export class Story {
  tasks = [];
  budget = {};
  size = null;
  model = "";
  startedAt = "";

  get task() {
    return this.tasks.at(-1);
  }

  /** The step that the event belongs to, if any. */
  take({type, data, t_wall, seq}) {
    if (type === "session.opened") {
      this.budget = data.budget ?? {};
      this.size = data.platform?.size ?? null;
      this.model = data.model?.name ?? "";
      this.startedAt = t_wall;
    } else if (type === "task.started") {
      this.tasks.push({number: data.task, id: data.task_id, goal: data.goal, steps: [], tokens: 0, startedAt: t_wall, budget: data.budget, end: null, seq});
    } else if (type === "task.finished" && this.task) {
      this.task.end = data;
      this.task.tokens = data.tokens ?? this.task.tokens;
    } else if (type === "task.step_started" && this.task) {
      this.task.steps.push({number: data.step, at: t_wall, proposed: null, gated: null, executed: null, result: "", frames: {}, timings: null});
    }
    const step = data.by ? null : this.task?.steps.find((one) => one.number === data.step);
    if (step) this.#takeStep(step, type, data);
    return step ?? null;
  }

  #takeStep(step, type, data) {
    if (type === "action.proposed") step.proposed = data;
    else if (type === "action.gated") step.gated = data;
    else if (type === "action.executed") step.executed = data;
    else if (type === "observation.captured") step.frames[data.when] = data;
    else if (type === "approval.requested") step.result = "waiting_for_approval";
    else if (type === "approval.decided") step.result = "";
    else if (type === "task.step_finished") {
      step.result = data.result;
      step.timings = data.timings_ms;
      this.task.tokens = data.tokens ?? this.task.tokens;
    }
  }
}

export function wordsOf(step) {
  const proposed = step.proposed;
  if (!proposed) return "looking and thinking";
  if (proposed.action === null) return proposed.error ?? "no action";
  return proposed.summary || inWords(proposed.action);
}

/** One line of the step list; `choose` is called with the step. */
export function stepLine(step, isCurrent, choose) {
  const total = Object.values(step.timings ?? {}).reduce((sum, ms) => sum + ms, 0);
  return h("li", {class: isCurrent ? "step current" : "step"},
           h("button", {type: "button", on: {click: () => choose(step)}, "aria-current": isCurrent ? "step" : null},
             h("span", {class: "n"}, step.number), h("span", {class: "what"}, wordsOf(step)),
             h("span", {class: "t"}, total > 0 ? seconds(total) : "")),
           badge(step.result || (step.proposed ? "acting" : "thinking")));
}

/** Where the model wanted to act, and where the pointer was then: marks for a Screen. */
export function markStep(screen, step) {
  for (const point of step.executed?.points ?? []) screen.mark("aim", point.target, step.proposed?.verb?.replaceAll("_", " ") ?? "");
  if (step.executed?.landed) screen.mark("landed", step.executed.landed);
}
