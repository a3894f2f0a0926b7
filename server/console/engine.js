// SPDX-License-Identifier: Apache-2.0
// The model: what it is, whether it is there, how fast it is, and the daemon's own figures.
import {badge, button, count, empty, facts, fill, h} from "./dom.js";

const refreshMs = 2000;

function words(name) {
  return name.replace(/^handeye_/, "").replaceAll("_", " ").replace(/^./, (letter) => letter.toUpperCase());
}

/** Any nested figures as rows: name, value. */
function rows(value, prefix = "") {
  return Object.entries(value ?? {}).flatMap(([name, inner]) => {
    const label = prefix ? `${prefix} · ${words(name)}` : words(name);
    if (inner !== null && typeof inner === "object" && !Array.isArray(inner)) return rows(inner, label);
    const shown = typeof inner === "number" ? count(inner) : Array.isArray(inner) ? inner.map(String).join(", ") : String(inner ?? "");
    return [h("tr", {}, h("th", {scope: "row"}, label), h("td", {class: "number"}, shown))];
  });
}

function table(title, value) {
  const body = rows(value);
  return body.length === 0 ? null : h("section", {class: "card"}, h("h2", {}, title), h("div", {class: "scroll"}, h("table", {}, h("tbody", {}, body))));
}

async function look(app) {
  const ask = (method) => (app.can(method) ? app.call(method).catch(() => null) : null);
  const [info, status, stats, metrics] = await Promise.all([app.call("connection.info"), ask("engine.status"), ask("engine.stats"), ask("metrics.snapshot")]);
  return {info, engine: status ?? info.engine, stats, metrics};
}

function modelCard({info, engine}, speed) {
  const model = engine.model ?? info.engine.model ?? {};
  return h("section", {class: "card"},
           h("div", {class: "headline"}, h("h2", {}, model.name ?? "No model"), badge(engine.state)),
           engine.detail ? h("p", {class: "soft"}, engine.detail) : null,
           facts([["Tokens per second", Number.isFinite(speed) ? count(speed) : "no answer seen yet"], ["Family", model.family], ["Weights", model.weight_format],
                  ["Parameters", count(model.parameters)], ["Context", model.context_tokens_max ? `${count(model.context_tokens_max)} tokens` : ""],
                  ["Connections", info.connections], ["Version", info.version]]));
}

export async function showEngine(app, place) {
  const figures = h("div", {class: "cards"});
  const draw = async () => {
    const seen = await look(app);
    const metrics = seen.metrics?.metrics ?? seen.metrics;
    fill(figures, modelCard(seen, app.tokensPerSecond), table("Engine figures", seen.stats), table("Daemon figures", metrics),
         seen.stats || seen.metrics ? null : empty("This daemon gives no more figures."));
  };
  const test = app.can("engine.selftest") ? button("Check the engine", async () => {
    const result = await app.attempt("Check", () => app.call("engine.selftest"));
    if (result) app.notice(result.is_repeatable === false ? "bad" : "plain", result.is_repeatable === false
      ? "Asked twice, the engine gave two answers." : `Asked twice, the engine gave the same ${count(result.answers)} tokens in ${count(result.wall_ms)} ms.`);
  }) : null;
  fill(place, h("div", {class: "headline"}, h("h1", {}, "Engine"), test), figures);
  await draw();
  const timer = setInterval(() => draw().catch(() => {}), refreshMs);
  return () => clearInterval(timer);
}
