// SPDX-License-Identifier: Apache-2.0
// What a task file asks a person: its words, its choices or a line to write in, and the time left.
import {button, facts, h} from "./dom.js";
import {timeLeft, visible} from "./words.js";

/** One question with its answers; `settle` is called with the card once one was taken. */
export function questionCard(app, one, origin, settle) {
  const send = async (answer) => {
    if (await app.attempt("Answer", () => app.call("question.answer", {question: one.question, answer}))) settle(card);
  };
  const line = h("input", {name: "answer", "aria-label": "Your answer", autocomplete: "off", required: true});
  const form = h("form", {class: "row", on: {submit: (event) => { event.preventDefault(); send(line.value); }}}, line,
                 h("button", {type: "submit", class: "primary"}, "Answer"));
  const choices = (one.choices ?? []).map((choice) => button(visible(choice), () => send(choice)));
  const card = h("article", {class: "card approval question", data: {approval: one.question}, "aria-label": `Question: ${visible(one.text)}`},
                 h("header", {}, h("span", {}, "The task asks you"), timeLeft(one.expires_at)),
                 h("h2", {class: "deed"}, visible(one.text)), facts(origin),
                 choices.length > 0 ? h("div", {class: "row"}, choices) : form);
  return card;
}
