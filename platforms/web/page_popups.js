// SPDX-License-Identifier: Apache-2.0
// Lists, calendars and colours, shown in the page: the browser would show them in windows that no screenshot of the page holds. They live
// in a closed shadow tree above everything; the page hears that a value changed, and of none of the clicks on them.
(() => {
  "use strict";
  const { popup, make, root_of, tell_changed } = globalThis.handeye;
  if (popup.is_ready) return;
  popup.is_ready = true;

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

  Object.assign(popup, { root: null, box: null, owner: null, choices: [], at: -1, typed: "", typed_at: 0 });

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
