// SPDX-License-Identifier: Apache-2.0
// Page kinds with typing, lists and dates.
'use strict';

const textField = (attributes = {}) => h('input', {type: 'text', ...attributes});
const submitLabel = (R) => R.pick(['Submit', 'Submit', 'Submit', 'Save', 'Send', 'OK', 'Search', 'Go']);

/** Clicks into a field and types. */
function* fill(field, label, text, options = {}) {
    yield steps.click(field, label, options);
    yield steps.type(field, text);
}

kinds.enterText = (R, area) => {
    const text = R.chance(0.8) ? R.word() : R.phrase(3), field = textField({style: `margin:${R.int(0, 30)}px ${R.int(0, 20)}px 4px`}), label = submitLabel(R), submit = button(label);
    area.append(field, h('br'), submit);
    return {goal: R.pick([`Enter "${text}" into the text field and press ${label}.`, `Enter "${text}" into the text field and press ${label}.`, `Type "${text}" and click ${label}.`,
                          `Type ${text} into the text box and press ${label}.`]), *play() { yield* fill(field, 'text field', text); yield steps.click(submit, label); }};
};

kinds.changeCase = (R, area) => {
    const text = R.words(1, () => R.word().replace(/[^a-zA-Z]/g, '') || R.pick(lexicon.words))[0], upper = R.chance(0.5), field = textField(), submit = button('Submit');
    area.append(field, h('br'), submit);
    const typed = upper ? text.toUpperCase() : text.toLowerCase();
    return {goal: `Type "${text}" in all ${upper ? 'upper' : 'lower'} case${R.pick(['', ' letters'])} in the text input and press Submit.`, *play() { yield* fill(field, 'text field', typed); yield steps.click(submit, 'Submit'); }};
};

kinds.password = (R, area) => {
    const text = R.nonce(), first = textField({type: 'password'}), second = textField({type: 'password'}), submit = button('Submit');
    area.append(h('p', {}, h('label', {}, 'Password'), first), h('p', {}, h('label', {}, R.pick(['Verify password', 'Repeat'])), second), submit);
    return {goal: R.pick([`Enter the password "${text}" into both text fields and press submit.`, `Set the password to ${text} in both fields and press Submit.`]),
            *play() { yield* fill(first, '1st field', text); yield* fill(second, '2nd field', text); yield steps.click(submit, 'Submit'); }};
};

kinds.login = (R, area) => {
    const user = R.chance(0.5) ? R.name().toLowerCase() : R.nonce(), word = R.nonce(), name = textField(), pass = textField({type: 'password'}), submit = button('Login');
    area.append(h('p', {}, h('label.bold', {}, 'Username'), name), h('p', {}, h('label.bold', {}, 'Password'), pass), submit);
    return {goal: R.pick([`Enter the username "${user}" and the password "${word}" into the text fields and press login.`, `Log in as ${user} with the password ${word}.`]),
            *play() { yield* fill(name, 'Username', user); yield* fill(pass, 'Password', word); yield steps.click(submit, 'Login'); }};
};

/** A form with named fields, check boxes and buttons, told in the words of tasks.py. */
kinds.form = (R, area) => {
    const title = R.chance(0.6) ? R.pick(lexicon.titles) : R.phrase(3), fields = R.int(0, 4), checks = R.int(fields ? 0 : 1, 2);
    const names = R.words(fields + checks + 2, () => (R.chance(0.85) ? R.word() : R.phrase()));
    const table = h('table', {style: 'font-size:inherit'}), items = [], above = R.chance(0.25);
    if (R.chance(0.7)) area.append(h('div', {style: R.pick(['', 'font-weight:bold', 'text-align:center'])}, title));
    area.append(table);
    names.slice(0, fields).forEach((n) => {
        const field = textField({style: `width:${above ? 130 : R.int(60, 90)}px`, placeholder: R.chance(0.1) ? R.pick(lexicon.words) : false}), label = h('span', {}, n + R.pick([':', ':', '']));
        if (above) area.append(h('div', {}, label), field); else table.append(h('tr', {}, h('td', {}, label), h('td', {}, field)));
        items.push({kind: 'set', n, field, label, value: R.chance(0.8) ? R.word() : R.phrase(2)});
    });
    names.slice(fields, fields + checks).forEach((n) => {
        const input = h('input', {type: 'checkbox', checked: R.chance(0.1)}), label = h('label', {}, input, n);
        area.append(label, h('br'));
        items.push({kind: input.checked ? 'untick' : 'tick', n, field: input, label});
    });
    const pressed = names.slice(fields + checks).map((n) => { const b = button(n); area.append(b, ' '); return [n, b]; });
    let todo = items.filter(() => R.chance(0.8));
    if (R.chance(0.2)) todo = R.shuffle(todo);
    const last = R.pick(pressed), press = R.chance(0.85) || !todo.length;
    const say = {set: (i) => R.pick([`set ${i.n} to ${i.value}`, `set ${i.n} to ${i.value}`, `type ${i.value} into ${i.n}`, `enter ${i.value} in ${i.n}`, `type ${i.value} in the ${i.n} field`]),
                 tick: (i) => R.pick([`tick ${i.n}`, `check ${i.n}`, `check the ${i.n} box`]), untick: (i) => R.pick([`untick ${i.n}`, `uncheck ${i.n}`])};
    const parts = todo.map((i) => say[i.kind](i));
    if (press) parts.push(R.pick([`click ${last[0]}`, `press ${last[0]}`, `click the ${last[0]} button`]));
    const [between, final] = R.pick([[', ', ', '], [', ', ' and '], [' and ', ' and '], [', ', ', then ']]);
    let goal = parts.length > 1 ? parts.slice(0, -1).join(between) + final + parts[parts.length - 1] : parts[0];
    if (R.chance(0.7)) goal = goal[0].toUpperCase() + goal.slice(1);
    if (R.chance(0.7)) goal += '.';
    return {goal, clickable: [...pressed.map(([n, b]) => ['button', b, n]), ...items.map((i) => [i.kind === 'set' ? 'field' : 'checkbox', i.kind === 'set' ? i.label : i.label, i.n])].filter(([w]) => w !== 'field'), *play() {
        for (const i of todo) {
            yield steps.click(i.field, i.n, {named: i.label});
            if (i.kind === 'set') yield steps.type(i.field, i.value);
        }
        if (press) yield steps.click(last[1], last[0]);
        yield steps.done();
    }};
};

kinds.dropdown = (R, area) => {
    const names = R.words(R.int(2, 9), () => (R.chance(0.5) ? R.name() : R.word())), target = R.pick(names), label = submitLabel(R), submit = button(label);
    const select = h('select', {style: `margin:${R.int(0, 20)}px ${R.int(0, 10)}px;max-width:140px`}, ...names.map((n) => h('option', {}, n)));
    area.append(select, h('br'), submit);
    const list = h('div', {style: `position:absolute;z-index:9;background:#fff;color:#000;border:1px solid #767676;font:13.3px Arial;max-height:${R.int(90, 150)}px;overflow-y:auto`});
    const rows = names.map((n, i) => h('div', {style: `padding:1px 4px;${i === 0 ? 'background:#cfe4ff' : ''}`}, n));
    list.append(...rows);
    const open = () => { const b = select.getBoundingClientRect(); list.style.left = `${b.left}px`; list.style.top = `${b.bottom}px`; list.style.minWidth = `${b.width}px`; document.body.append(list); };
    return {goal: R.pick([`Select ${target} from the list and click ${label}.`, `Choose ${target} from the dropdown, then click the button labeled "${label}".`, `Set the list to ${target} and press ${label}.`]), *play() {
        yield steps.click(select, 'list', {does: open});
        const row = rows[names.indexOf(target)];
        while (row.offsetTop + 8 > list.scrollTop + list.clientHeight) yield steps.scroll(list, 'down', 5, () => { list.scrollTop += list.clientHeight; }, target);
        yield steps.click(row, target, {does: () => { list.remove(); select.value = target; }});
        yield steps.click(submit, label);
    }};
};

kinds.scrollList = (R, area) => {
    const names = R.words(R.int(4, 14), () => (R.chance(0.5) ? R.name() : R.word())), target = R.pick(names), submit = button('Submit');
    const list = h('div', {style: `width:${R.int(80, 140)}px;height:${R.int(50, 90)}px;overflow-y:scroll;border:1px solid #767676;font:13.3px Arial;background:#fff;color:#000`});
    const rows = names.map((n) => h('div', {style: 'padding:0 2px'}, n));
    list.append(...rows);
    area.append(list, submit);
    return {goal: R.pick([`Select ${target} from the scroll list and click Submit.`, `Pick ${target} in the list and press Submit.`]), *play() {
        const row = rows[names.indexOf(target)];
        while (row.offsetTop - list.offsetTop + 8 > list.scrollTop + list.clientHeight) yield steps.scroll(list, 'down', 5, () => { list.scrollTop += list.clientHeight - 14; }, target);
        yield steps.click(row, target, {does: () => { row.style.background = '#1e90ff'; row.style.color = '#fff'; }});
        yield steps.click(submit, 'Submit');
    }};
};

const MONTHS = ['January', 'February', 'March', 'April', 'May', 'June', 'July', 'August', 'September', 'October', 'November', 'December'];
const two = (n) => String(n).padStart(2, '0');

kinds.calendar = (R, area) => {
    const field = textField({readonly: R.chance(0.6)}), submit = button('Submit'), year = R.int(2010, 2026), start = R.int(0, 11), turns = R.pick([-3, -2, -1, -1, 0, 0, 0, 1, 1, 2, 4]);
    area.append(h('span', {}, 'Date: '), field, h('br'), submit);
    const shown = new Date(year, start, 1), wanted = new Date(year, start + turns, R.int(1, 28));
    $(field).datepicker({defaultDate: shown, duration: 0, showAnim: '', beforeShow: () => { document.getElementById('ui-datepicker-div').style.fontSize = '9px'; }});
    const text = `${two(wanted.getMonth() + 1)}/${two(wanted.getDate())}/${wanted.getFullYear()}`;
    const panel = () => document.getElementById('ui-datepicker-div');
    return {goal: R.pick([`Select ${text} as the date and hit submit.`, `Select ${text} as the date and hit submit.`, `Choose the date ${text} and press Submit.`]), *play() {
        yield steps.click(field, 'date field', {does: () => $(field).datepicker('show')});
        for (let i = 0; i < Math.abs(turns); ++i) {
            const way = turns < 0 ? 'prev' : 'next', side = panel().querySelector(`.ui-datepicker-${way}`);
            yield steps.click(side, way, {thought: `It must be ${MONTHS[wanted.getMonth()]}. Click ${way}.`});
        }
        const day = [...panel().querySelectorAll('td a')].find((a) => a.textContent === String(wanted.getDate()));
        yield steps.click(day, String(wanted.getDate()), {does: () => { $(field).datepicker('setDate', wanted); $(field).datepicker('hide'); }});
        yield steps.click(submit, 'Submit');
    }};
};

kinds.typeDate = (R, area) => {
    const date = R.chance(0.5), field = h('input', {type: date ? 'date' : 'time'}), submit = button('Submit');
    area.append(h('div', {style: `margin-top:${R.int(0, 30)}px`}, field), submit);
    if (date) {
        const y = R.int(2000, 2029), m = R.int(1, 12), d = R.int(1, 28), text = `${two(m)}/${two(d)}/${y}`;
        return {goal: `Enter ${text} as the date and hit submit.`, *play() {
            const b = boxOf(field);
            yield steps.click(field, 'date field', {box: [b[0], b[1], b[0] + 24, b[3]]});
            yield steps.type(field, text, {does: () => { field.value = `${y}-${two(m)}-${two(d)}`; }});
            yield steps.click(submit, 'Submit');
        }};
    }
    const hour = R.int(1, 12), minute = R.int(0, 59), half = R.pick(['AM', 'PM']), text = `${hour}:${two(minute)} ${half}`;
    return {goal: `Enter ${text} as the time and press submit.`, *play() {
        const b = boxOf(field);
        yield steps.click(field, 'time field', {box: [b[0], b[1], b[0] + 20, b[3]]});
        yield steps.type(field, `${two(hour)}:${two(minute)}${half}`, {does: () => { field.value = `${two(hour % 12 + (half === 'PM' ? 12 : 0))}:${two(minute)}`; }});
        yield steps.click(submit, 'Submit');
    }};
};

kinds.complete = (R, area) => {
    const field = textField(), submit = button('Submit'), pool = R.words(R.int(5, 8), () => R.name()), stem = R.pick(pool).slice(0, 2);
    const fits = R.shuffle([...pool.filter((n) => n.startsWith(stem)), ...R.words(R.int(0, 2), () => stem + R.nonce().toLowerCase())]), target = R.pick(fits), end = R.chance(0.5) ? target.slice(-2) : '';
    area.append(h('label', {}, R.pick(['Tags: ', 'Country: ', 'Item: '])), field, h('div', {style: `height:${R.int(30, 70)}px`}), submit);
    const list = h('ul.ui-menu.ui-widget.ui-widget-content.ui-autocomplete.ui-front', {style: 'position:absolute;font-size:10px;width:110px'}, ...fits.map((n) => h('li.ui-menu-item', {}, h('div.ui-menu-item-wrapper', {}, n))));
    return {goal: end ? `Enter an item that starts with "${stem}" and ends with "${end}".` : `Enter an item that starts with "${stem}".`, *play() {
        yield steps.click(field, 'text field');
        yield steps.type(field, stem, {does: () => { field.value = stem; const b = boxOf(field); list.style.left = `${b[0]}px`; list.style.top = `${b[3]}px`; document.body.append(list); }});
        const chosen = end ? target : fits[0];
        const i = fits.findIndex((n) => n === chosen);
        yield steps.click(list.children[i].firstChild, chosen, {does: () => { field.value = chosen; list.remove(); }});
        yield steps.click(submit, 'Submit');
    }};
};

kinds.readTable = (R, area) => {
    const keys = R.words(R.int(2, 6), () => (R.chance(0.5) ? R.pick(['First name', 'Last name', 'Language', 'Country', 'Year', 'Religion', 'Gender', 'Color', 'City']) : R.word()));
    const values = keys.map(() => R.word()), field = textField(), submit = button('Submit'), ask = R.sample(keys, R.chance(0.7) ? 1 : Math.min(2, keys.length));
    area.append(h('table', {style: 'font-size:inherit;border-collapse:collapse'}, ...keys.map((k, i) => h('tr', {}, h('td', {style: 'border:1px solid #aaa;padding:1px 4px'}, k), h('td', {style: 'border:1px solid #aaa;padding:1px 4px'}, values[i])))));
    if (ask.length === 1) {
        area.append(field, submit);
        return {goal: R.pick([`Enter the value of ${ask[0]} into the text field and press Submit.`, `Type the value of ${ask[0]} and press Submit.`]), *play() {
            yield* fill(field, 'text field', values[keys.indexOf(ask[0])]);
            yield steps.click(submit, 'Submit');
        }};
    }
    const fields = ask.map((k) => { const f = textField({style: 'width:70px'}), l = h('span', {}, k + ': '); area.append(h('div', {}, l, f)); return [k, f, l]; });
    area.append(submit);
    return {goal: 'Enter the value that corresponds with each label into the form and submit when done.', *play() {
        for (const [k, f, l] of fields) yield* fill(f, k, values[keys.indexOf(k)], {named: l});
        yield steps.click(submit, 'Submit');
    }};
};

kinds.copyText = (R, area) => {
    const text = R.chance(0.5) ? R.word() : R.phrase(3), field = textField(), submit = button('Submit');
    const shown = h('div', {style: R.pick(['border:1px solid #999;padding:2px', 'font-weight:bold', 'font-style:italic;font-size:13px', ''])}, text);
    area.append(shown, pause(R), field, h('br'), submit);
    return {goal: R.pick(['Type the text below into the text field and press Submit.', 'Type the text shown below into the text box and press Submit.']), *play() { yield* fill(field, 'text field', text); yield steps.click(submit, 'Submit'); }};
};

kinds.nthWord = (R, area) => {
    const words = R.words(R.int(3, 12), () => R.pick(lexicon.words)), i = R.int(0, words.length - 1), field = textField(), submit = button('Submit');
    area.append(h('p', {}, words.join(' ')), field, submit);
    return {goal: `Find the ${ordinal(i)} word in the paragraph, type that into the textbox and press "Submit".`, *play() { yield* fill(field, 'text field', words[i]); yield steps.click(submit, 'Submit'); }};
};

kinds.arithmetic = (R, area) => {
    const op = R.pick(['+', '-', 'x']), a = R.int(0, op === 'x' ? 10 : 20), b = R.int(0, 10), field = textField({style: 'width:50px'}), submit = button('Submit');
    const result = op === '+' ? a + b : op === '-' ? a - b : a * b, solve = R.chance(0.4);
    const x = h('span', {style: `font-size:${R.int(11, 18)}px`}, solve ? `${op === 'x' ? a + ' * x' : 'x ' + op + ' ' + a} = ${op === 'x' ? a * b : op === '+' ? b + a : b - a}` : `${a} ${op} ${b} =`);
    area.append(h('div', {style: `margin:${R.int(5, 30)}px 4px`}, x, ' ', solve ? h('div', {}, 'x = ', field) : field), submit);
    const answer = String(solve ? b : result);
    return {goal: R.pick(['Solve the math problem and type your answer into the textbox. Press submit when done.', solve ? 'Solve for x and type your answer into the textbox. Press Submit when done.' : 'Solve the problem and press Submit.']),
            *play() { yield* fill(field, 'text field', answer); yield steps.click(submit, 'Submit'); }};
};

kinds.slider = (R, area) => {
    const least = R.pick([0, 0, -10, -5, 1, -100]), span = R.pick([5, 10, 10, 15, 20, 100, 200]), from = R.int(0, span), to = R.int(0, span), holder = h('div', {style: 'margin:14px 12px'}), shown = h('div', {style: 'text-align:center'}, String(least + from)), submit = button('Submit');
    area.append(h('div', {style: `height:${R.int(0, 20)}px`}), ...(R.chance(0.5) ? [holder, shown] : [shown, holder]), submit);
    $(holder).slider({min: 0, max: span, value: from});
    const at = (v) => { const b = boxOf(holder), x = b[0] + (b[2] - b[0]) * v / span, y = (b[1] + b[3]) / 2; return [x - 5, y - 5, x + 5, y + 5]; };
    return {goal: R.pick([`Select ${least + to} with the slider and hit Submit.`, `Move the slider to ${least + to} and press Submit.`]), *play() {
        if (to !== from) yield steps.drag(() => at(from), () => at(to), 'slider', String(least + to), () => { $(holder).slider('value', to); shown.textContent = String(least + to); });
        yield steps.click(submit, 'Submit');
    }};
};

kinds.spinner = (R, area) => {
    const field = h('input', {type: 'text', style: 'width:60px', value: '0'}), submit = button('Submit'), to = R.int(-6, 6);
    area.append(h('div', {style: `margin:${R.int(0, 25)}px 4px`}, field), submit);
    $(field).spinner();
    const arrow = (up) => field.parentElement.querySelector(up ? '.ui-spinner-up' : '.ui-spinner-down');
    return {goal: R.pick([`Select ${to} with the spinner and hit Submit.`, `Set the spinner to ${to} and press Submit.`]), *play() {
        for (let v = 0; v !== to;) {
            const up = to > v;
            v += up ? 1 : -1;
            const now = v;
            yield steps.click(arrow(up), up ? 'up' : 'down', {thought: `It must be ${to}. Click ${up ? 'up' : 'down'}.`, box: boxOf(arrow(up)), does: () => { field.value = String(now); }});
        }
        yield steps.click(submit, 'Submit');
    }};
};
