// SPDX-License-Identifier: Apache-2.0
// The picture of a session's target: the live stream (or the recorded frames where there is none), what the model does drawn on
// it, and a person's mouse and keyboard while they hold the target.
import {bytesOf, h} from "./dom.js";

const dragPx = 6; // a press that moves less is a click
const wheelNotchPx = 60;
const typeDelayMs = 40; // letters of one burst travel together

const keyNames = {
  " ": "space", Enter: "enter", Escape: "escape", Backspace: "backspace", Tab: "tab", Delete: "delete", Insert: "insert",
  ArrowUp: "up", ArrowDown: "down", ArrowLeft: "left", ArrowRight: "right", Home: "home", End: "end", PageUp: "pageup",
  PageDown: "pagedown",
};

/** A keydown as a list for input.key, e.g. ["ctrl", "a"]; null for what is no key to send. */
export function keysOf(event) {
  if (["Shift", "Control", "Alt", "Meta", "CapsLock", "Dead", "Process", "Unidentified"].includes(event.key)) return null;
  const held = [["ctrl", event.ctrlKey], ["alt", event.altKey], ["super", event.metaKey]].filter(([, down]) => down).map(([name]) => name);
  const isNamed = event.key in keyNames || /^F\d{1,2}$/.test(event.key);
  if (event.shiftKey && (isNamed || held.length > 0)) held.push("shift");
  return [...held, keyNames[event.key] ?? (held.length > 0 ? event.key.toLowerCase() : event.key)];
}

export class Screen {
  #app;
  #session;
  #canvas = h("canvas", {width: 640, height: 400, class: "pixels", "aria-label": "The screen of the session", role: "img"});
  #marks = h("div", {class: "marks", "aria-hidden": "true"});
  #target = {width: 0, height: 0};
  #endWatch = null;
  #send = null; // while a person holds the target: (method, params) => promise
  #text = "";
  #textTimer = 0;
  #queue = Promise.resolve();
  #down = null;
  isLive = false;
  element;

  constructor(app, session) {
    this.#app = app;
    this.#session = session.session;
    this.element = h("figure", {class: "screen"}, this.#canvas, this.#marks);
    this.setTarget({width: session.width_px, height: session.height_px});
    this.#listen();
  }

  setTarget(size) {
    if (!(size?.width > 0 && size.height > 0)) return;
    this.#target = {width: size.width, height: size.height};
    this.#canvas.style.aspectRatio = `${size.width} / ${size.height}`;
    this.element.style.setProperty("--aspect", size.width / size.height);
  }

  /** Follows the screen; a daemon without streams shows the recorded frames (show()) instead. */
  async start() {
    if (!this.#app.can("screen.stream_start")) return;
    const wanted = {session: this.#session, format: "jpeg", max_px: Math.min(1600, Math.ceil(innerWidth * devicePixelRatio)), max_fps: 10,
                    max_in_flight: 2};
    this.#endWatch = await this.#app.client.watch(wanted, async (frame) => {
      this.isLive = true;
      await this.#paint(frame.bytes);
    });
  }

  async stop() {
    this.#app.client.isOpen && (await this.#endWatch?.().catch(() => {}));
    this.#endWatch = null;
    this.isLive = false;
  }

  /** A recorded frame; the live stream, where it runs, is newer. */
  async show(blob) {
    if (this.isLive || !blob?.sha256) return;
    const {base64} = await this.#app.call("recording.blob", {session: this.#session, hash: blob.sha256});
    if (!this.isLive) await this.#paint(bytesOf(base64));
  }

  async capture() {
    const shot = await this.#app.call("screen.capture", {session: this.#session, format: "jpeg"});
    this.setTarget({width: shot.target_width_px, height: shot.target_height_px});
    await this.#paint(bytesOf(shot.base64));
  }

  async #paint(bytes) {
    const picture = await createImageBitmap(new Blob([bytes]));
    if (this.#canvas.width !== picture.width || this.#canvas.height !== picture.height) {
      this.#canvas.width = picture.width;
      this.#canvas.height = picture.height;
      if (!this.#target.width) this.setTarget(picture);
    }
    this.#canvas.getContext("2d").drawImage(picture, 0, 0);
    this.#canvas.dataset.painted = String(Number(this.#canvas.dataset.painted ?? 0) + 1);
    picture.close();
  }

  /** Draws where something happened, in pixels of the target: "aim" (wanted), "landed" (where the pointer was). */
  mark(kind, point, words = "") {
    if (!point || !this.#target.width) return;
    const spot = h("span", {class: `spot ${kind}`}, words ? h("em", {}, words) : null);
    spot.style.left = `${(point.x / this.#target.width) * 100}%`;
    spot.style.top = `${(point.y / this.#target.height) * 100}%`;
    this.#marks.append(spot);
    while (this.#marks.childElementCount > 4) this.#marks.firstChild.remove();
  }

  clearMarks() {
    this.#marks.replaceChildren();
  }

  /** From now on mouse and keyboard go to the target, through `send`. */
  hold(send) {
    this.#send = send;
    this.#canvas.tabIndex = 0;
    this.#canvas.setAttribute("role", "application");
    this.element.classList.add("held");
    this.clearMarks();
    this.#canvas.focus();
  }

  letGo() {
    this.#send = null;
    this.#text = "";
    this.#canvas.removeAttribute("tabindex");
    this.#canvas.setAttribute("role", "img");
    this.element.classList.remove("held");
  }

  /** One after the other, in the order in which they were made. */
  act(method, params) {
    const send = this.#send;
    if (!send) return;
    this.#queue = this.#queue.then(() => send(method, params)).catch(() => {});
  }

  type(text) {
    this.#text += text;
    clearTimeout(this.#textTimer);
    this.#textTimer = setTimeout(() => this.#flushText(), typeDelayMs);
  }

  #flushText() {
    clearTimeout(this.#textTimer);
    const text = this.#text;
    this.#text = "";
    if (text) this.act("input.type", {text});
  }

  press(keys) {
    this.#flushText();
    this.act("input.key", {keys: keys.join("+")});
  }

  #pointOf(event) {
    const box = this.#canvas.getBoundingClientRect();
    const along = (value, start, length, side) => Math.max(0, Math.min(side - 1, Math.floor(((value - start) / length) * side)));
    return {x: along(event.clientX, box.left, box.width, this.#target.width), y: along(event.clientY, box.top, box.height, this.#target.height)};
  }

  #listen() {
    const on = (type, f) => this.#canvas.addEventListener(type, (event) => {
      if (!this.#send) return;
      f(event);
    }, {passive: false});
    on("pointerdown", (event) => {
      this.#canvas.focus();
      this.#canvas.setPointerCapture(event.pointerId);
      this.#down = {x: event.clientX, y: event.clientY, at: this.#pointOf(event), button: event.button};
    });
    on("pointerup", (event) => this.#release(event));
    on("contextmenu", (event) => event.preventDefault());
    on("wheel", (event) => {
      event.preventDefault();
      const isDown = Math.abs(event.deltaY) >= Math.abs(event.deltaX);
      const way = isDown ? event.deltaY : event.deltaX;
      const direction = isDown ? (way > 0 ? "down" : "up") : way > 0 ? "right" : "left";
      this.act("input.act", {action: {verb: "scroll", ...this.#pointOf(event), direction, amount: Math.max(1, Math.round(Math.abs(way) / wheelNotchPx))}});
    });
    on("keydown", (event) => this.#key(event));
    on("paste", (event) => this.type(event.clipboardData.getData("text/plain")));
  }

  #release(event) {
    const down = this.#down;
    this.#down = null;
    if (!down) return;
    this.#flushText();
    const to = this.#pointOf(event);
    const isDrag = Math.hypot(event.clientX - down.x, event.clientY - down.y) > dragPx;
    const verb = down.button === 2 ? "right_click" : down.button === 1 ? "middle_click" : "click";
    const action = isDrag ? {verb: "drag", ...down.at, to_x: to.x, to_y: to.y} : {verb, ...down.at};
    this.mark("own", down.at);
    this.act("input.act", {action});
  }

  #key(event) {
    if (event.key === "Escape" && event.shiftKey) { // the way out for who has no mouse
      this.#canvas.blur();
      return;
    }
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "v") return; // the paste event follows
    const keys = keysOf(event);
    if (!keys) return;
    event.preventDefault();
    if (keys.length === 1 && [...event.key].length === 1) this.type(event.key);
    else this.press(keys);
  }
}
