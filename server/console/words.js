// SPDX-License-Identifier: Apache-2.0
// What an action does, in plain words, and until when: for a person who says yes or no to it.
import {duration, h} from "./dom.js";

/** Text as it will be typed: line ends, tabs and letters that nobody would see have a sign of their own. */
export function visible(text) {
  const signs = {"\n": "⏎", "\r": "⏎", "\t": "⇥"};
  return String(text).replace(/\r\n/g, "\n").replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (letter) =>
    signs[letter] ?? `⟨U+${letter.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`);
}

function at(place, word = "at") {
  if (place?.x === undefined) return "";
  return ` ${word} (${place.x}, ${place.y})${place.units ? ` ${place.units}` : ""}`;
}

function keysOf(keys) {
  return (Array.isArray(keys) ? keys : [keys]).map((key) => (key === " " ? "space" : visible(key))).join("+");
}

const sayings = {
  click: (_, from) => `Click${at(from)}`,
  right_click: (_, from) => `Right-click${at(from)}`,
  middle_click: (_, from) => `Middle-click${at(from)}`,
  double_click: (_, from) => `Double-click${at(from)}`,
  triple_click: (_, from) => `Triple-click${at(from)}`,
  long_press: ({hold_ms: ms}, from) => `Press and hold${at(from)}${ms ? ` for ${ms / 1000} s` : ""}`,
  hover: (_, from) => `Point${at(from)}`,
  drag: (_, from, to) => `Drag${at(from, "from")}${at(to, "to")}`,
  scroll: ({direction, amount, viewport_share: share}, from) =>
    `Scroll ${direction} by ${share ? `${Math.round(share * 100)} % of the view` : amount === 1 ? "1 notch" : `${amount} notches`}${at(from)}`,
  swipe: ({direction}, from, to) => (to ? `Swipe${at(from, "from")}${at(to, "to")}` : `Swipe ${direction}${at(from)}`),
  type: ({text, clear, enter}, from) => `${from ? `Click${at(from)}, ` : ""}${clear ? "empty the field, " : ""}type “${visible(text)}”${enter ? " and press Enter" : ""}`,
  key: ({keys}) => `Press ${keysOf(keys)}`,
  back: () => "Go back",
  home: () => "Go to the start page",
  search_page: () => "Open the search engine",
  open_app: ({app}) => `Start the application “${visible(app)}”`,
  wait: ({seconds}) => `Wait for ${seconds} s`,
  answer: ({text}) => `Answer “${visible(text)}”`,
  ask_user: ({question}) => `Ask you: “${visible(question ?? "")}”`,
  finish: () => "Say that the task is done",
  fail: ({message}) => `Say that the task cannot be done${message ? `: “${visible(message)}”` : ""}`,
};

/** "Click at (120, 48)". Takes the canonical form, or {action, target} as approvals have it, where the target says what is really hit. */
export function inWords(action) {
  const given = action?.action ?? action ?? {};
  const own = (x, y) => (x === undefined ? undefined : {x, y, units: given.units});
  const [from, to] = action?.target?.length > 0 ? action.target : [own(given.x, given.y), own(given.to_x, given.to_y)];
  const say = Object.hasOwn(sayings, given.verb) ? sayings[given.verb] : () => `${visible(given.verb ?? "Act").replaceAll("_", " ")}${at(from)}`;
  const held = given.hold_keys?.length > 0 ? ` with ${keysOf(given.hold_keys)} held` : "";
  const words = say(given, from, to) + held;
  return words[0].toUpperCase() + words.slice(1);
}

/** "4 min 5 s left", counting down for as long as it is shown. */
export function timeLeft(expiresAt) {
  const left = h("b", {class: "number", role: "timer"});
  const tick = () => {
    const ms = new Date(expiresAt) - new Date();
    left.textContent = ms > 0 ? `${duration(Math.ceil(ms / 1000) * 1000)} left` : "expired";
    if (ms > 0 && left.isConnected) setTimeout(tick, 500);
  };
  setTimeout(tick);
  return left;
}
