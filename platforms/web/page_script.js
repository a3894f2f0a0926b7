// SPDX-License-Identifier: Apache-2.0
// What handeye does inside a page, in a world of its own: it tells which elements there are and what arrived where it typed, and shows
// lists, calendars and colours in the page that the browser would show in windows no screenshot holds. One global, `handeye`.
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

  // Remembers the field with the focus as it is. Its text stays here.
  handeye.begin = () => {
    const element = focused();
    const kind = kind_of(element);
    typing = null;
    if (kind === "none" || kind === "frame") return { kind };
    const has_place = kind !== "rich" && kind !== "written" && element.selectionStart !== null;
    typing = { element, kind, before: content(element, kind), start: has_place ? element.selectionStart : -1, end: has_place ? element.selectionEnd : -1 };
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

  // How the field differs from what `text` should have made of it.
  handeye.finish = (text) => {
    if (!typing) return { state: "none" };
    const { element, kind, before, start, end } = typing;
    typing = null;
    if (!element.isConnected) return { state: "gone" };
    const after = content(element, kind);
    const wanted = kind === "rich" ? plain(text) : text;
    if (kind === "written") {
      const numbers = (value) => (value.match(/\d+/g) || []).map(Number).sort((a, b) => a - b).join(" ");
      return { state: after !== "" && (after === wanted.toLowerCase() || numbers(after) === numbers(wanted)) ? "confirmed" : "differs", arrived: 0, missing: [], shows: after };
    }
    if (start >= 0 ? before.slice(0, start) + wanted + before.slice(end) === after : before + wanted === after || wanted === after) return { state: "confirmed" };
    const arrived = arrived_in(before, after, start, end);
    const bare = (value) => (kind === "rich" ? value.replace(/\s+/g, "") : value);
    if (bare(arrived) === bare(wanted)) return { state: "confirmed" };
    const missing = missing_from([...wanted], arrived);
    return { state: "differs", arrived: [...wanted].length - missing.length, missing: missing.slice(0, 8), shows: element.type === "password" ? "" : arrived.slice(0, 80) };
  };

  // A date, time or colour as the field's value is written ("2024-05-31"): false where it is not.
  handeye.write_value = (text) => {
    const element = focused();
    if (kind_of(element) !== "written" || element.readOnly || element.disabled) return false;
    const before = element.value;
    element.value = text;
    if (element.value !== text.toLowerCase() && element.value !== text) {
      element.value = before;
      return false;
    }
    tell_changed(element);
    return true;
  };

  const tell_changed = (element) => {
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
      if (element === popup.host || !is_marked(element)) continue;
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
    for (const row of popup.rows()) out.push(row);
    return { elements: out, width: innerWidth, height: innerHeight, opaque: [] };
  };

  // ---- Lists, calendars and colours that the browser would show in windows of their own ----

  const STYLE = `
    :host { all: initial; }
    .box { position: fixed; box-sizing: border-box; overflow: auto; background: #fff; color: #111; border: 1px solid #767676; box-shadow: 0 2px 8px #0006;
           font: 13px/1.4 system-ui, "DejaVu Sans", sans-serif; cursor: default; }
    .row { padding: 2px 8px; white-space: pre; min-height: 1.4em; }
    .row.group { font-weight: bold; } .row.inner { padding-left: 20px; } .row.off { color: #888; }
    .row.on, .cell.on { background: #1967d2; color: #fff; }
    .grid { display: grid; grid-template-columns: repeat(var(--columns), auto); padding: 4px; gap: 1px; }
    .cell { padding: 3px 6px; text-align: center; } .cell.off { color: #999; }
    .head { display: flex; justify-content: space-between; padding: 4px; font-weight: bold; } .head .cell { padding: 0 10px; }
    .lists { display: flex; } .list { max-height: 180px; overflow: auto; }
    .color { width: 18px; height: 18px; border: 1px solid #999; }`;

  const popup = { host: null, root: null, box: null, owner: null, choices: [], at: -1, typed: "", typed_at: 0, rows: () => [] };

  const close_popup = () => {
    if (popup.host) popup.host.remove();
    popup.host = popup.root = popup.box = popup.owner = null;
    popup.choices = [];
    popup.at = -1;
  };

  const open_popup = (owner) => {
    close_popup();
    const host = make("div");
    const root = host.attachShadow({ mode: "closed" });
    const style = make("style");
    style.textContent = STYLE;
    const box = make("div");
    box.className = "box";
    root.append(style, box);
    host.style.setProperty("display", "block", "important");
    host.setAttribute("popover", "manual");
    (owner.closest("dialog[open]") || root_of()).append(host);
    host.showPopover(); // above everything, whatever the page's layers are
    Object.assign(popup, { host, root, box, owner, choices: [], at: -1 });
    return box;
  };

  const place_popup = () => {
    const { box, owner } = popup;
    const rect = owner.getBoundingClientRect();
    const below = innerHeight - rect.bottom, above = rect.top;
    box.style.minWidth = `${Math.min(rect.width, innerWidth)}px`;
    box.style.maxWidth = `${innerWidth}px`;
    const is_below = box.offsetHeight <= below || below >= above;
    box.style.maxHeight = `${Math.max(40, Math.min(is_below ? below : above, innerHeight))}px`;
    const height = box.offsetHeight;
    box.style.left = `${Math.max(0, Math.min(rect.left, innerWidth - box.offsetWidth))}px`;
    box.style.top = `${Math.max(0, Math.min(is_below ? rect.bottom : rect.top - height, innerHeight - height))}px`;
  };

  const add = (parent, class_name, text) => {
    const element = make("div");
    element.className = class_name;
    if (text !== undefined) element.textContent = text;
    parent.append(element);
    return element;
  };
  const add_choice = (parent, class_name, text, choose, is_off = false) => {
    const element = add(parent, is_off ? `${class_name} off` : class_name, text);
    popup.choices.push({ element, choose, is_off, label: text });
    return element;
  };
  popup.rows = () => popup.choices.filter((choice) => !choice.is_off).map(({ element, label }) => ({ element, label, rect: element.getBoundingClientRect() })).map(({ element, label, rect }) => {
    const frame = popup.box.getBoundingClientRect();
    const box = { left: Math.max(rect.left, frame.left), top: Math.max(rect.top, frame.top), right: Math.min(rect.right, frame.right), bottom: Math.min(rect.bottom, frame.bottom) };
    return { role: "list item", label: label || element.title, box: [box.left, box.top, box.right, box.bottom], secret: false, id: "", value: "", enabled: true,
             checked: element.classList.contains("on"), focused: false };
  }).filter((row) => row.box[2] - row.box[0] >= 1 && row.box[3] - row.box[1] >= 4);

  const highlight = (index) => {
    if (popup.choices[popup.at]) popup.choices[popup.at].element.classList.remove("on");
    popup.at = index;
    const choice = popup.choices[index];
    if (!choice) return;
    choice.element.classList.add("on");
    choice.element.scrollIntoView({ block: "nearest" });
  };

  const set_value = (element, value) => {
    const before = element.value;
    element.value = value;
    close_popup();
    if (element.value !== before) tell_changed(element);
  };

  const open_list = (select) => {
    const box = open_popup(select);
    box.style.font = getComputedStyle(select).font;
    const choose = (index) => () => {
      const before = select.selectedIndex;
      select.selectedIndex = index;
      close_popup();
      if (select.selectedIndex !== before) tell_changed(select);
    };
    let group = null;
    [...select.options].slice(0, 5000).forEach((option, index) => {
      const parent = option.parentElement instanceof HTMLOptGroupElement ? option.parentElement : null;
      if (parent !== group && parent) add(box, "row group", parent.label);
      group = parent;
      if (option.hidden || getComputedStyle(option).display === "none") return;
      add_choice(box, parent ? "row inner" : "row", option.label, choose(index), option.disabled || !!(parent && parent.disabled));
      if (index === select.selectedIndex) popup.at = popup.choices.length - 1;
    });
    place_popup();
    highlight(popup.at);
  };

  const two = (number) => String(number).padStart(2, "0");
  const iso_week = (day) => {
    const thursday = new Date(Date.UTC(day.getUTCFullYear(), day.getUTCMonth(), day.getUTCDate() + 3 - ((day.getUTCDay() + 6) % 7)));
    const first = Date.UTC(thursday.getUTCFullYear(), 0, 1);
    return `${thursday.getUTCFullYear()}-W${two(1 + Math.floor((thursday - first) / 604800000))}`;
  };
  const day_text = (day) => `${String(day.getUTCFullYear()).padStart(4, "0")}-${two(day.getUTCMonth() + 1)}-${two(day.getUTCDate())}`;

  const first_shown = (input) => {
    const told = /^(\d{4,})-(\d\d)/.exec(input.value);
    const now = new Date();
    return told ? { year: Number(told[1]), month: Number(told[2]) - 1 } : { year: now.getFullYear(), month: now.getMonth() };
  };

  const open_calendar = (input, shown = first_shown(input)) => {
    const box = open_popup(input);
    const by_month = input.type === "month";
    const turn = (months) => () => {
      const next = new Date(Date.UTC(shown.year, shown.month + months, 1));
      open_calendar(input, { year: next.getUTCFullYear(), month: next.getUTCMonth() });
    };
    const head = add(box, "head");
    add_choice(head, "cell", "«", turn(-12));
    if (!by_month) add_choice(head, "cell", "‹", turn(-1));
    add(head, "title", by_month ? String(shown.year) : new Date(Date.UTC(shown.year, shown.month, 1)).toLocaleDateString("en-US", { month: "long", year: "numeric", timeZone: "UTC" }));
    if (!by_month) add_choice(head, "cell", "›", turn(1));
    add_choice(head, "cell", "»", turn(12));
    const grid = add(box, "grid");
    grid.style.setProperty("--columns", by_month ? "4" : "7");
    if (by_month) {
      for (let month = 0; month < 12; ++month) {
        const value = `${String(shown.year).padStart(4, "0")}-${two(month + 1)}`;
        const cell = add_choice(grid, "cell", new Date(Date.UTC(2000, month, 1)).toLocaleDateString("en-US", { month: "short", timeZone: "UTC" }), () => set_value(input, value));
        if (value === input.value) cell.classList.add("on");
      }
    } else {
      ["Su", "Mo", "Tu", "We", "Th", "Fr", "Sa"].forEach((name) => add(grid, "cell off", name));
      const begin = new Date(Date.UTC(shown.year, shown.month, 1));
      begin.setUTCDate(1 - begin.getUTCDay());
      const time = (/T(.*)$/.exec(input.value) || [])[1] || "00:00";
      for (let i = 0; i < 42; ++i) {
        const day = new Date(begin.getTime() + i * 86400000);
        const value = input.type === "week" ? iso_week(day) : input.type === "date" ? day_text(day) : `${day_text(day)}T${time}`;
        const is_off = (input.min && value < input.min) || (input.max && value > input.max);
        const cell = add_choice(grid, "cell", String(day.getUTCDate()), () => (input.type === "datetime-local" ? (set_value(input, value), open_times(input)) : set_value(input, value)), is_off);
        cell.title = day_text(day);
        if (day.getUTCMonth() !== shown.month) cell.classList.add("off");
        if (value === input.value) cell.classList.add("on");
      }
    }
    place_popup();
  };

  const open_times = (input) => {
    const box = open_popup(input);
    const has_day = input.type === "datetime-local";
    const day = has_day ? (/^[^T]*/.exec(input.value) || [""])[0] : "";
    const told = /(\d\d):(\d\d)/.exec(input.value);
    const now = { hour: told ? told[1] : null, minute: told ? told[2] : null };
    const lists = add(box, "lists");
    const put = () => {
      for (const cell of [...lists.querySelectorAll(".row")]) cell.classList.toggle("on", cell.textContent === (cell.dataset.part === "hour" ? now.hour : now.minute));
      if (now.hour === null || now.minute === null) return;
      const value = `${now.hour}:${now.minute}`;
      const before = input.value;
      input.value = has_day ? `${day}T${value}` : value;
      if (input.value !== before) tell_changed(input);
    };
    for (const [part, count] of [["hour", 24], ["minute", 60]]) {
      const list = add(lists, "list");
      for (let i = 0; i < count; ++i) {
        const text = two(i);
        const row = add_choice(list, "row", text, () => {
          now[part] = text;
          if (now.minute === null) now.minute = "00";
          put();
          if (part === "minute") close_popup();
        });
        row.dataset.part = part;
        if (text === now[part]) row.classList.add("on");
      }
    }
    place_popup();
    for (const row of lists.querySelectorAll(".on")) row.scrollIntoView({ block: "nearest" });
  };

  const COLORS = ["#000000", "#444444", "#888888", "#cccccc", "#ffffff", "#800000", "#ff0000", "#ff8080", "#804000", "#ff8000", "#ffcc80", "#808000", "#ffff00", "#ffff80",
    "#008000", "#00ff00", "#80ff80", "#008080", "#00ffff", "#80ffff", "#000080", "#0000ff", "#8080ff", "#400080", "#800080", "#ff00ff", "#ff80ff", "#c04080"];
  const open_colors = (input) => {
    const box = open_popup(input);
    const grid = add(box, "grid");
    grid.style.setProperty("--columns", "7");
    for (const value of COLORS) {
      const cell = add_choice(grid, "color", "", () => set_value(input, value));
      cell.style.background = value;
      cell.title = value;
    }
    place_popup();
  };

  const PICKED = { date: open_calendar, "datetime-local": open_calendar, month: open_calendar, week: open_calendar, time: open_times, color: open_colors };
  const INDICATOR_CSS = 30; // the part of a date field that opens its calendar

  const target_of = (event) => event.composedPath()[0] || event.target;
  const list_of = (node) => {
    const select = node instanceof Element ? node.closest("select") : null;
    return select && !select.multiple && select.size <= 1 && !select.disabled && getComputedStyle(select).appearance !== "base-select" ? select : null;
  };
  const picked_of = (node) => (node instanceof HTMLInputElement && Object.hasOwn(PICKED, node.type) && !node.disabled && !node.readOnly ? node : null);

  const choose_at = (event) => {
    const over = popup.root.elementFromPoint(event.clientX, event.clientY);
    const choice = popup.choices.find((one) => one.element === over);
    if (choice && !choice.is_off) choice.choose();
  };

  // Events over what we show stay with us: the page must not see clicks on something that it does not have.
  const on_own = (event) => {
    if (!popup.host || event.target !== popup.host) return false;
    event.stopImmediatePropagation();
    if (event.type === "mousedown") event.preventDefault(); // the focus stays with the field
    if (event.type === "click" && event.isTrusted) choose_at(event);
    if (event.type === "mousemove") {
      const over = popup.root.elementFromPoint(event.clientX, event.clientY);
      const index = popup.choices.findIndex((one) => one.element === over && over.classList.contains("row"));
      if (index >= 0 && popup.owner instanceof HTMLSelectElement) highlight(index);
    }
    return true;
  };

  const on_press = (event) => {
    if (!event.isTrusted) return;
    const select = event.button === 0 ? list_of(target_of(event)) : null;
    const was_open = popup.owner;
    if (popup.host) close_popup();
    if (!select) return;
    event.preventDefault();
    select.focus({ preventScroll: true });
    if (was_open !== select) open_list(select);
  };

  const on_click = (event) => {
    const input = event.isTrusted ? picked_of(target_of(event)) : null;
    if (!input) return;
    const rect = input.getBoundingClientRect();
    const is_left = getComputedStyle(input).direction === "rtl";
    const is_indicator = input.type === "color" || (is_left ? event.clientX < rect.left + INDICATOR_CSS : event.clientX > rect.right - INDICATOR_CSS);
    event.preventDefault();
    if (is_indicator) PICKED[input.type](input);
  };

  const on_list_key = (event) => {
    const { choices } = popup;
    const step = (from, by) => {
      let index = from;
      do index += by;
      while (choices[index] && choices[index].is_off);
      if (choices[index]) highlight(index);
    };
    if (event.key === "ArrowDown") step(popup.at, 1);
    else if (event.key === "ArrowUp") step(popup.at < 0 ? choices.length : popup.at, -1);
    else if (event.key === "Home") step(-1, 1);
    else if (event.key === "End") step(choices.length, -1);
    else if (event.key === "Escape") close_popup();
    else if (["Enter", "Tab", " "].includes(event.key) && !(event.key === " " && popup.typed && event.timeStamp - popup.typed_at < 1000)) {
      const choice = choices[popup.at];
      if (choice && !choice.is_off) choice.choose();
      else close_popup();
      if (event.key === "Tab") return; // and goes on
    } else if ([...event.key].length === 1 && !event.ctrlKey && !event.altKey && !event.metaKey) {
      popup.typed = event.timeStamp - popup.typed_at < 1000 ? popup.typed + event.key : event.key;
      popup.typed_at = event.timeStamp;
      const found = choices.findIndex((choice) => !choice.is_off && choice.label.trim().toLowerCase().startsWith(popup.typed.toLowerCase()));
      if (found >= 0) highlight(found);
    } else return;
    event.preventDefault();
    event.stopImmediatePropagation();
  };

  const on_key = (event) => {
    if (!event.isTrusted) return;
    if (popup.host && popup.owner instanceof HTMLSelectElement) {
      on_list_key(event);
      return;
    }
    if (popup.host) {
      if (event.key === "Escape") {
        close_popup();
        event.preventDefault();
        event.stopImmediatePropagation();
      }
      return;
    }
    const opens = event.key === "F4" || (event.altKey && (event.key === "ArrowDown" || event.key === "ArrowUp"));
    const select = list_of(target_of(event));
    const input = picked_of(target_of(event));
    if (select && (opens || event.key === " ")) {
      event.preventDefault();
      open_list(select);
    } else if (input && (opens || (event.key === " " && input.type === "color") || (event.key === "Enter" && input.type === "color"))) {
      event.preventDefault();
      PICKED[input.type](input);
    }
  };

  const listen = (name, handler) => addEventListener(name, handler, { capture: true, passive: false });
  for (const name of ["pointerdown", "pointerup", "pointermove", "mouseup", "mousemove", "mouseover", "mouseout", "pointerover", "pointerout", "dblclick", "contextmenu", "auxclick", "wheel"]) listen(name, on_own);
  listen("mousedown", (event) => { if (!on_own(event)) on_press(event); });
  listen("click", (event) => { if (!on_own(event)) on_click(event); });
  listen("keydown", on_key);
  addEventListener("resize", close_popup);
  addEventListener("scroll", (event) => { if (popup.host && event.target !== popup.host) close_popup(); }, { capture: true, passive: true });
})();
