// SPDX-License-Identifier: Apache-2.0
// What handeye does inside a page, in a world of its own: it tells which elements there are and what arrived where it typed. One global,
// `handeye`. page_popups.js follows it in the same world.
(() => {
  "use strict";
  if (globalThis.handeye) return;

  // A page may name its elements like members of document; what the prototype says cannot be hidden so.
  const member = (prototype, name) => Object.getOwnPropertyDescriptor(prototype, name).get;
  const active_of = { document: member(Document.prototype, "activeElement"), shadow: member(ShadowRoot.prototype, "activeElement") };
  const root_of = () => Reflect.apply(member(Document.prototype, "documentElement"), document, []);
  const at_point = (root, x, y) => Reflect.apply(root instanceof ShadowRoot ? ShadowRoot.prototype.elementFromPoint : Document.prototype.elementFromPoint, root, [x, y]);
  const make = (name) => Reflect.apply(Document.prototype.createElement, document, [name]);
  const all_of = (root) => Reflect.apply(root instanceof ShadowRoot ? ShadowRoot.prototype.querySelectorAll : Document.prototype.querySelectorAll, root, ["*"]);

  const handeye = {};
  globalThis.handeye = handeye;
  handeye.popup = { host: null, rows: () => [] }; // what page_popups.js shows

  // ---- What was typed ----

  const TYPED = new Set(["text", "search", "url", "tel", "email", "password", "number"]);
  const WRITTEN = new Set(["date", "time", "datetime-local", "month", "week", "color"]);
  let typing = null;

  const focused = () => {
    let element = Reflect.apply(active_of.document, document, []);
    while (element && element.shadowRoot) {
      const inner = Reflect.apply(active_of.shadow, element.shadowRoot, []);
      if (!inner) break;
      element = inner;
    }
    return element;
  };

  const kind_of = (element) => {
    if (!element) return "none";
    if (element instanceof HTMLIFrameElement || element.localName === "frame") return "frame";
    if (element instanceof HTMLTextAreaElement) return "lines";
    if (element instanceof HTMLInputElement) return TYPED.has(element.type) ? "line" : WRITTEN.has(element.type) ? "written" : "none";
    return element.isContentEditable ? "rich" : "none";
  };
  const plain = (text) => text.replaceAll("\u00a0", " ").replaceAll("\r\n", "\n");
  const content = (element, kind) => (kind === "rich" ? plain(element.innerText) : element.value);

  // What reaches the page while it is typed into: text that the browser inserts, and keys that the page takes for itself. Seen here
  // before the page sees it: a field may be emptied or written anew at each key, and all of the text has arrived nevertheless.
  const note_kept = (typing) => { // what stays of the field when the next character comes
    if (!typing.has_place) return;
    const kept = typing.element.value.length - (typing.element.selectionEnd - typing.element.selectionStart);
    if (kept < typing.kept) typing.took_back = true;
    typing.kept = kept;
  };
  const end_stroke = (typing) => {
    const stroke = typing.stroke;
    typing.stroke = null;
    if (stroke && !stroke.is_inserted && stroke.events.some((event) => event.defaultPrevented)) typing.delivered += stroke.sign;
  };
  const begin_stroke = (typing, sign) => {
    end_stroke(typing);
    note_kept(typing);
    typing.stroke = { sign: [...sign].length === 1 ? sign : "", events: [], is_inserted: false };
  };
  const watch = (name, handler) => addEventListener(name, (event) => { if (typing && event.isTrusted) handler(typing, event); }, { capture: true, passive: true });
  watch("keydown", (typing, event) => {
    begin_stroke(typing, event.key === "Enter" ? "\n" : event.key);
    typing.stroke.events.push(event);
  });
  watch("keypress", (typing, event) => { if (typing.stroke) typing.stroke.events.push(event); });
  watch("beforeinput", (typing, event) => {
    if (!typing.stroke || typing.stroke.is_inserted) begin_stroke(typing, ""); // inserted text comes without a key
    typing.stroke.events.push(event);
    if (event.data && !typing.stroke.sign) typing.stroke.sign = event.data;
  });
  watch("input", (typing, event) => {
    const data = event.data ?? (["insertLineBreak", "insertParagraph"].includes(event.inputType) ? "\n" : "");
    typing.delivered += data;
    if (typing.stroke) typing.stroke.is_inserted = true;
    if (typing.has_place && typing.element.value.length < typing.kept + data.length) typing.took_back = true;
  });

  // Remembers the field with the focus as it is. Its text stays here.
  handeye.begin = () => {
    const element = focused();
    const kind = kind_of(element);
    typing = null;
    if (kind === "none" || kind === "frame") return { kind };
    const has_place = kind !== "rich" && kind !== "written" && element.selectionStart !== null;
    typing = {
      element, kind, before: content(element, kind), start: has_place ? element.selectionStart : -1, end: has_place ? element.selectionEnd : -1,
      has_place, kept: 0, took_back: false, delivered: "", stroke: null, is_begun: kind === "written" && element.validity.badInput,
    };
    if (has_place) note_kept(typing);
    return { kind, type: kind === "written" ? element.type : "", secret: element.type === "password", locked: !!(element.readOnly || element.disabled) };
  };

  const common_prefix = (a, b) => {
    let n = 0;
    while (n < a.length && n < b.length && a[n] === b[n]) ++n;
    return n;
  };
  const reversed = (text) => [...text].reverse().join("");

  // What stands where the text should: between what stood before and after it.
  const arrived_in = (before, after, start, end) => {
    const head = Math.min(common_prefix(before, after), start < 0 ? before.length : start);
    const tail_of = (from) => common_prefix(reversed(before.slice(from)), reversed(after.slice(head)));
    const tail = Math.min(tail_of(start < 0 ? head : end), after.length - head);
    return after.slice(head, after.length - tail);
  };

  const missing_from = (wanted, arrived) => {
    const got = [...arrived];
    let at = 0;
    const missing = [];
    for (const sign of wanted) {
      const found = got.indexOf(sign, at);
      if (found < 0) missing.push(sign);
      else at = found + 1;
    }
    return missing;
  };

  // Whether a date or time holds what was typed into its parts. In which order these stand is the browser's matter, and so is what
  // it makes of PM; it tells nothing while one of them is still empty.
  const written_state = ({ element, before, is_begun }, wanted, after) => {
    const typed = wanted.toLowerCase();
    if (after === "") return element.validity.badInput ? "incomplete" : "differs";
    if (after === typed) return "confirmed";
    const half = /([ap])\.?m/.exec(typed);
    const hour = Number((/(\d+):/.exec(after) || [])[1]);
    const is_half = !!half && (half[1] === "p") === (hour >= 12);
    if (half && !is_half || !half && !/\d/.test(typed)) return "differs";
    const numbers = (value) => (is_half ? value.replace(/\d+(?=:)/, (h) => h % 12 || 12) : value).match(/\d+/g)?.map(Number) ?? [];
    const digits = (value) => [...numbers(value).join("").replaceAll("0", "")]; // zeros only fill
    const without = (all, some) => {
      const rest = [...all];
      return some.every((one) => rest.includes(one) && rest.splice(rest.indexOf(one), 1)) ? rest : null;
    };
    const holds = (parts) => { // what was typed, and else only what stood there before
      const rest = without(parts(after), parts(typed));
      return !!rest && (is_begun || !!without(parts(before), rest));
    };
    return holds(numbers) || /\d{3}/.test(typed) && holds(digits) ? "confirmed" : "differs"; // digits: parts typed with no sign between
  };

  // How the field differs from what `text` should have made of it.
  handeye.finish = (text) => {
    if (!typing) return { state: "none" };
    end_stroke(typing);
    const { element, kind, before, start, end, delivered, took_back, is_begun } = typing;
    typing = null;
    if (!element.isConnected) return { state: "gone" };
    const after = content(element, kind);
    const wanted = kind === "rich" ? plain(text) : text;
    if (kind === "written") return { state: written_state({ element, before, is_begun }, wanted, after), missing: [], shows: after };
    if (start >= 0 ? before.slice(0, start) + wanted + before.slice(end) === after : before + wanted === after || wanted === after) return { state: "confirmed" };
    const arrived = arrived_in(before, after, start, end);
    const bare = (value) => (kind === "rich" ? value.replace(/\s+/g, "") : value);
    if (bare(arrived) === bare(wanted)) return { state: "confirmed" };
    // A page that adds signs, changes letter case, takes text out or moves on to the next field has had all of it: that is its own doing,
    // and nothing here tells whether it is as it should be. A page that keeps some characters and refuses others lacks these.
    const has_moved = focused() !== element;
    const is_all_there = missing_from([...wanted.toLowerCase()], arrived.toLowerCase()).length === 0;
    if (is_all_there || delivered === wanted && (took_back || has_moved || arrived === "")) return { state: "rewritten" };
    const missing = missing_from([...wanted], arrived);
    return { state: "differs", arrived: [...wanted].length - missing.length, missing: missing.slice(0, 8), shows: element.type === "password" ? "" : arrived.slice(0, 80) };
  };

  // A date, time or colour as the field's value is written ("2024-05-31"): false where it is not.
  handeye.write_value = (text) => {
    const element = focused();
    if (kind_of(element) !== "written" || element.readOnly || element.disabled) return false;
    const trial = make("input"); // not the field itself: what does not fit would empty the parts that are filled already
    trial.type = element.type;
    trial.value = text;
    if (trial.value !== text.toLowerCase() && trial.value !== text) return false;
    element.value = text;
    tell_changed(element);
    return true;
  };

  handeye.make = make;
  handeye.root_of = root_of;
  const tell_changed = handeye.tell_changed = (element) => {
    element.dispatchEvent(new Event("input", { bubbles: true, composed: true }));
    element.dispatchEvent(new Event("change", { bubbles: true }));
  };

  // ---- Which elements there are ----

  const ELEMENTS_MAX = 2000, SCANNED_MAX = 30000, TEXT_MAX = 500, AREA_MIN = 20;
  const MARKED = new Set(["input", "textarea", "select", "button", "a", "iframe", "video", "li", "td", "option", "summary"]);
  const ROLES = {
    button: "push button", a: "link", textarea: "entry", select: "combo box", option: "list item", li: "list item", td: "table cell",
    iframe: "internal frame", video: "video", summary: "push button", img: "image",
  };
  const ARIA_ROLES = {
    button: "push button", link: "link", checkbox: "check box", radio: "radio button", textbox: "entry", searchbox: "entry", combobox: "combo box",
    option: "list item", listitem: "list item", menuitem: "menu item", tab: "page tab", slider: "slider", spinbutton: "spin button", switch: "toggle button",
    treeitem: "tree item", gridcell: "table cell", cell: "table cell",
  };
  const INPUT_ROLES = {
    checkbox: "check box", radio: "radio button", range: "slider", number: "spin button", password: "password text", button: "push button",
    submit: "push button", reset: "push button", image: "push button", color: "push button", file: "push button",
  };

  const role_of = (element) => {
    const told = (element.getAttribute("role") || "").trim().split(/\s+/)[0].toLowerCase();
    if (Object.hasOwn(ARIA_ROLES, told)) return ARIA_ROLES[told];
    if (element instanceof HTMLInputElement) return INPUT_ROLES[element.type] || "entry";
    if (element instanceof HTMLSelectElement && (element.multiple || element.size > 1)) return "list box";
    return ROLES[element.localName] || "section";
  };
  const tidy = (text) => (text || "").replace(/\s+/g, " ").trim().slice(0, TEXT_MAX);
  const words_of = (element) => tidy(element.innerText !== undefined ? element.innerText : element.textContent);
  const by_ids = (element, ids) => tidy(ids.split(/\s+/).slice(0, 8).map((id) => {
    const found = id && element.getRootNode().getElementById(id);
    return found ? words_of(found) : "";
  }).join(" "));

  const label_of = (element) => {
    const labelled = element.getAttribute("aria-labelledby");
    const named = (labelled && by_ids(element, labelled)) || tidy(element.getAttribute("aria-label"));
    if (named) return named;
    const is_button = element instanceof HTMLInputElement && ["button", "submit", "reset"].includes(element.type);
    if (is_button) return tidy(element.value) || { submit: "Submit", reset: "Reset" }[element.type] || tidy(element.title);
    if (element.labels && element.labels.length > 0) return tidy([...element.labels].slice(0, 4).map(words_of).join(" "));
    if (element instanceof HTMLInputElement || element instanceof HTMLTextAreaElement) return tidy(element.placeholder) || tidy(element.title) || tidy(element.alt) || tidy(element.name);
    if (element instanceof HTMLSelectElement) return tidy(element.title) || tidy(element.name);
    const picture = element.querySelector("img[alt]");
    return words_of(element) || tidy(element.alt) || tidy(element.title) || (picture ? tidy(picture.alt) : "");
  };

  const value_of = (element) => {
    if (element instanceof HTMLInputElement) return ["password", "checkbox", "radio", "button", "submit", "reset", "file", "hidden"].includes(element.type) ? "" : element.value.slice(0, TEXT_MAX);
    if (element instanceof HTMLTextAreaElement) return element.value.slice(0, TEXT_MAX);
    if (element instanceof HTMLSelectElement) return tidy([...element.selectedOptions].slice(0, 20).map((option) => option.label).join(", "));
    return element.isContentEditable ? element.innerText.slice(0, TEXT_MAX) : "";
  };

  const checked_of = (element) => {
    if (element instanceof HTMLInputElement && ["checkbox", "radio"].includes(element.type)) return element.checked;
    if (element instanceof HTMLOptionElement) return element.selected;
    const told = element.getAttribute("aria-checked") || element.getAttribute("aria-pressed");
    return told === "true" ? true : told === "false" ? false : null;
  };

  // Every element, those of open shadow trees included; each with the tree it is found in.
  const walk = () => {
    const found = [];
    const trees = [document];
    for (let i = 0; i < trees.length && found.length < SCANNED_MAX; ++i) {
      for (const element of all_of(trees[i])) {
        if (found.length >= SCANNED_MAX) break;
        found.push(element);
        if (element.shadowRoot) trees.push(element.shadowRoot);
      }
    }
    return found;
  };

  const is_over = (root, element, x, y) => {
    const top = at_point(root, x, y);
    return !!top && (top === element || element.contains(top) || (top.shadowRoot && element.getRootNode() === top.shadowRoot) || contains_deeply(element, top));
  };
  const contains_deeply = (outer, inner) => {
    for (let node = inner; node; node = node.parentNode || node.host) if (node === outer) return true;
    return false;
  };

  // The parts of it that are to be seen: inside the viewport, and nothing else over their middle.
  const seen_parts = (element) => {
    const root = element.getRootNode();
    if (!(root instanceof Document || root instanceof ShadowRoot)) return [];
    const parts = [];
    for (const rect of [...element.getClientRects()].slice(0, 50)) {
      const left = Math.max(0, rect.left), top = Math.max(0, rect.top);
      const right = Math.min(innerWidth, rect.right), bottom = Math.min(innerHeight, rect.bottom);
      if (right - left < 1 || bottom - top < 1) continue;
      if (is_over(root, element, (left + right) / 2, (top + bottom) / 2)) parts.push({ left, top, right, bottom });
    }
    return parts;
  };
  const around = (parts) => parts.reduce((a, b) => ({ left: Math.min(a.left, b.left), top: Math.min(a.top, b.top), right: Math.max(a.right, b.right), bottom: Math.max(a.bottom, b.bottom) }));
  const area_of = (parts) => parts.reduce((sum, part) => sum + (part.right - part.left) * (part.bottom - part.top), 0);

  const is_marked = (element) => MARKED.has(element.localName) || element.hasAttribute("onclick") || element.isContentEditable && element.getAttribute("contenteditable") !== null ||
    Object.hasOwn(ARIA_ROLES, (element.getAttribute("role") || "").toLowerCase()) && getComputedStyle(element).cursor !== "not-allowed" ||
    getComputedStyle(element).cursor === "pointer" && getComputedStyle(element.parentElement || element).cursor !== "pointer";

  const describe = (element, box) => ({
    role: role_of(element), label: label_of(element), box: [box.left, box.top, box.right, box.bottom], secret: element.type === "password", id: element.id || "",
    value: value_of(element), enabled: !(element.disabled || element.getAttribute("aria-disabled") === "true"), checked: checked_of(element), focused: element === focused(),
  });

  // What can be operated, by the rules of the pages that the models were trained on: nothing inside a kept button or link, and else
  // only what is innermost.
  handeye.elements = () => {
    let kept = [];
    for (const element of walk()) {
      if (element === handeye.popup.host || !is_marked(element)) continue;
      const parts = seen_parts(element);
      if (area_of(parts) < AREA_MIN) continue;
      kept.push({ element, parts });
      if (kept.length >= ELEMENTS_MAX) break;
    }
    const set = new Set(kept.map((one) => one.element));
    const outers = (element, matches) => {
      for (let node = element.parentNode || element.host; node; node = node.parentNode || node.host) if (set.has(node) && matches(node)) return true;
      return false;
    };
    kept = kept.filter((one) => !outers(one.element, (node) => node.localName === "button" || node.localName === "a"));
    const with_inner = new Set();
    for (const { element } of kept) {
      for (let node = element.parentNode || element.host; node; node = node.parentNode || node.host) with_inner.add(node);
    }
    kept = kept.filter((one) => !with_inner.has(one.element));
    const out = kept.map(({ element, parts }) => describe(element, around(parts)));
    for (const row of handeye.popup.rows()) out.push(row);
    return { elements: out, width: innerWidth, height: innerHeight, opaque: [] };
  };
})();
