// SPDX-License-Identifier: Apache-2.0
// A conversation with the model, with pictures. What it thought is folded away and does not go into the next question.
import {button, empty, fill, h, splitThinking} from "./dom.js";

const pictureSidesPx = [1280, 896, 640, 448, 320]; // tried in turn until the whole message fits
const picturesMax = 8;
const envelopeBytes = 4096;

const history = []; // {role, text, pictures: [Blob], thinking}; kept while the page is open

/** A picture as a data URL no larger than `side`, so that it fits through the protocol's limit. */
async function dataUrl(blob, side) {
  const picture = await createImageBitmap(blob);
  const scale = Math.min(1, side / Math.max(picture.width, picture.height));
  const canvas = h("canvas", {width: Math.max(1, Math.round(picture.width * scale)), height: Math.max(1, Math.round(picture.height * scale))});
  const pen = canvas.getContext("2d");
  pen.fillStyle = "#fff";
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.drawImage(picture, 0, 0, canvas.width, canvas.height);
  picture.close();
  return canvas.toDataURL("image/jpeg", 0.9);
}

async function wire(message, side) {
  if (message.role === "assistant" || message.pictures.length === 0) return {role: message.role, content: message.text};
  const pictures = await Promise.all(message.pictures.map(async (blob) => ({type: "image", image: await dataUrl(blob, side)})));
  return {role: message.role, content: [...pictures, {type: "text", text: message.text}]};
}

/** The history as engine.infer takes it: no thinking, pictures as large as the limit allows. */
export async function toMessages(messages, bytesMax) {
  for (const side of pictureSidesPx) {
    const made = await Promise.all(messages.map((message) => wire(message, side)));
    if (new Blob([JSON.stringify(made)]).size + envelopeBytes <= bytesMax) return made;
  }
  throw new Error(`the conversation does not fit into ${Math.floor(bytesMax / 1024)} KiB: start a new one`);
}

class Chat {
  #app;
  #log = h("div", {class: "talk", role: "log", "aria-label": "Conversation"});
  #tray = h("div", {class: "tray"});
  #text = h("textarea", {rows: 2, placeholder: "Ask about a picture, or anything", "aria-label": "Message"});
  #send = h("button", {type: "submit", class: "primary"}, "Send");
  #pictures = [];
  #abort = null;
  #urls = [];

  constructor(app) {
    this.#app = app;
  }

  show(place) {
    const file = h("input", {type: "file", accept: "image/*", multiple: true, class: "away", id: "pick", on: {change: () => this.#add(file.files)}});
    const form = h("form", {class: "card ask", on: {submit: (event) => this.#ask(event), dragover: (event) => event.preventDefault(), drop: (event) => {
      event.preventDefault();
      this.#add(event.dataTransfer.files);
    }, paste: (event) => this.#add(event.clipboardData.files)}}, this.#tray, this.#text,
      h("div", {class: "row"}, h("label", {class: "quiet pick", for: "pick"}, "Add a picture"), file, h("span", {class: "soft grow"}, "or drop or paste one here"),
        button("New chat", () => this.#clear()), this.#send));
    this.#text.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        form.requestSubmit();
      }
    });
    fill(place, h("h1", {}, "Chat"), h("div", {class: "chat"}, this.#log, form));
    this.#draw();
    return () => {
      this.#abort?.abort();
      for (const url of this.#urls) URL.revokeObjectURL(url);
    };
  }

  #add(files) {
    for (const one of files) if (one.type.startsWith("image/") && this.#pictures.length < picturesMax) this.#pictures.push(one);
    this.#drawTray();
  }

  #drawTray() {
    fill(this.#tray, this.#pictures.map((blob, index) => h("figure", {}, this.#picture(blob), button("Remove", () => {
      this.#pictures.splice(index, 1);
      this.#drawTray();
    }, "link"))));
  }

  #picture(blob) {
    const url = URL.createObjectURL(blob);
    this.#urls.push(url);
    return h("img", {src: url, alt: "Attached picture"});
  }

  #clear() {
    this.#abort?.abort();
    history.length = 0;
    this.#draw();
  }

  #draw() {
    fill(this.#log, history.length > 0 ? history.map((message) => this.#bubble(message)) : empty("The model on this machine answers. Nothing leaves it."));
  }

  #bubble(message) {
    const thinking = h("p", {class: "thought"}, message.thinking ?? "");
    const box = h("details", {class: "thinking", hidden: !message.thinking}, h("summary", {}, "Thinking"), thinking);
    const text = h("p", {class: "said"}, message.text);
    const bubble = h("article", {class: `bubble-${message.role}`}, message.pictures.map((blob) => this.#picture(blob)), box, text);
    bubble.update = () => {
      thinking.textContent = message.thinking;
      box.hidden = !message.thinking;
      text.textContent = message.text || "…";
      bubble.scrollIntoView({block: "end"});
    };
    return bubble;
  }

  async #ask(event) {
    event.preventDefault();
    const text = this.#text.value.trim();
    if ((!text && this.#pictures.length === 0) || this.#abort) return;
    history.push({role: "user", text, pictures: this.#pictures});
    this.#pictures = [];
    this.#text.value = "";
    this.#drawTray();
    const answer = {role: "assistant", text: "", thinking: "", pictures: []};
    this.#draw();
    const bubble = this.#bubble(answer);
    this.#log.append(bubble);
    bubble.update();
    await this.#stream(answer, bubble);
  }

  async #stream(answer, bubble) {
    this.#abort = new AbortController();
    this.#send.textContent = "…";
    const request = crypto.randomUUID();
    let raw = "";
    const show = (text) => {
      Object.assign(answer, (({thinking, answer: said}) => ({thinking, text: said}))(splitThinking(text)));
      bubble.update();
    };
    const off = this.#app.client.on("engine.token", (note) => {
      if (note.request !== request) return;
      raw += note.text ?? "";
      show(raw);
    });
    const {signal} = this.#abort;
    const done = await this.#app.attempt("Answer", async () => {
      const messages = await toMessages(history, this.#app.limits.message_bytes_max ?? 1 << 20);
      return this.#app.client.call("engine.infer", {messages, stream: true, max_tokens: 2048, request}, {signal});
    });
    off();
    if (done) show(done.text ?? raw);
    this.#app.hearSpeed(done ?? {});
    if (done?.thinking) answer.thinking = done.thinking;
    if (answer.text || answer.thinking) history.push(answer);
    else history.pop(); // a question without an answer is not asked again with the next one
    this.#draw();
    this.#abort = null;
    this.#send.textContent = "Send";
  }
}

export function showChat(app, place) {
  if (!app.can("engine.infer")) {
    fill(place, h("h1", {}, "Chat"), empty("This daemon does not answer questions (engine.infer)."));
    return undefined;
  }
  return new Chat(app).show(place);
}
