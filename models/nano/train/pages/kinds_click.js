// SPDX-License-Identifier: Apache-2.0
// Page kinds that are clicked: (R, area) => {goal, play, clickable}. play yields steps; clickable: [what, element, label] of anything else
// on the page that a goal could name.
'use strict';

const kinds = {};
const button = (label, attributes = {}) => h('button', {type: 'button', ...attributes}, label);
const pause = (R) => h('div', {style: `height:${R.int(2, 12)}px`});
const ordinal = (i) => ['1st', '2nd', '3rd'][i] || `${i + 1}th`;
const COLOURS = {red: 'red', green: 'green', blue: 'blue', yellow: 'yellow', orange: 'orange', purple: 'purple', pink: 'pink', cyan: 'cyan', magenta: 'magenta',
                 black: 'black', grey: 'grey', gray: '#808080', brown: 'brown', lime: 'lime', aqua: 'aqua', olive: 'olive', white: 'white'};
const quoted = (R, text) => R.pick([`"${text}"`, `"${text}"`, text]);

/** Fills the area with things that are not asked for: [what, element, label] of those with a name. */
function clutter(R, area, count) {
    const made = [];
    for (let i = 0; i < count; ++i) {
        const u = R.next(), label = R.word();
        if (u < 0.3) area.append(h('div', {}, R.sentence(R.int(2, 7))));
        else if (u < 0.5) area.append(h('input', {type: 'text', value: R.chance(0.5) ? label : '', style: 'display:block'}));
        else if (u < 0.65) {
            const b = button(label);
            area.append(b, ' ');
            made.push(['button', b, label]);
        } else if (u < 0.8) {
            const a = h('span.link', {}, label);
            area.append(h('div', {}, a));
            made.push(['link', a, label]);
        } else if (u < 0.9) area.append(h('label', {}, h('input', {type: R.pick(['checkbox', 'radio'])}), label), h('br'));
        else area.append(h('textarea', {}, label));
    }
    return made;
}

kinds.buttons = (R, area) => {
    const labels = R.words(R.int(2, 8), () => R.phrase()), target = R.pick(labels), clickable = [];
    let wanted;
    for (const label of labels) {
        if (R.chance(0.3)) clickable.push(...clutter(R, area, 1));
        const b = button(label);
        area.append(...(R.chance(0.5) ? [b, ' '] : [b, h('br')]), ...(R.chance(0.2) ? [pause(R)] : []));
        if (label === target) wanted = b; else clickable.push(['button', b, label]);
    }
    return {goal: R.pick([`Click on the "${target}" button.`, `Click on the "${target}" button.`, `Click button ${target}.`, `Click the ${target} button.`, `Press ${target}.`, `Click ${target}`]),
            clickable, *play() { yield steps.click(wanted, target); }};
};

kinds.links = (R, area) => {
    const text = R.words(R.int(12, 32), () => (R.chance(0.8) ? R.pick(lexicon.words) : R.word()));
    const linked = R.sample(text, R.int(2, 8)), target = R.pick(linked), clickable = [];
    let wanted;
    const body = h('div', {style: R.chance(0.5) ? '' : 'text-align:justify'});
    for (const w of text) {
        const shown = linked.includes(w) ? h('span.link', {}, w) : w;
        if (w === target) wanted = shown; else if (shown !== w) clickable.push(['link', shown, w]);
        body.append(shown, R.pick([' ', ' ', ' ', ', ', '. ']));
    }
    area.append(body);
    return {goal: R.pick([`Click on the link "${target}".`, `Click on the link "${target}".`, `Follow the link ${target}.`, `Open ${quoted(R, target)}.`]), clickable,
            *play() { yield steps.click(wanted, target); }};
};

kinds.tabs = (R, area) => {
    const count = R.int(2, 4), byNumber = R.chance(0.5);
    const names = byNumber ? Array.from({length: count}, (_, i) => `Tab #${i + 1}`) : R.words(count, () => R.word().slice(0, 7));
    const list = h('ul'), root = h('div', {id: 'tabs', style: 'font-size:' + R.int(8, 11) + 'px'}, list);
    const links = {}, clickable = [], bodies = [];
    const where = R.int(0, count - 1), linkPage = R.chance(0.5);
    let wanted;
    const targetLink = R.words(1)[0];
    names.forEach((name, i) => {
        const a = h('a', {href: `#t${i}`}, name);
        links[name] = a;
        list.append(h('li', {}, a));
        const body = h('div', {id: `t${i}`});
        for (const w of R.words(R.int(5, 18), () => R.pick(lexicon.words))) body.append(R.chance(0.3) ? h('span.link', {}, w) : w, ' ');
        bodies.push(body);
        root.append(body);
    });
    if (linkPage) {
        wanted = h('span.link', {}, targetLink);
        bodies[where].insertBefore(wanted, R.pick([...bodies[where].childNodes]));
        bodies[where].insertBefore(document.createTextNode(' '), wanted.nextSibling);
    }
    area.append(root);
    $(root).tabs({active: R.int(0, count - 1)});
    if (!linkPage) {
        const target = R.pick(names);
        return {goal: R.pick([`Click on ${target}.`, `Go to ${quoted(R, target)}.`, `Open the ${target} tab.`]), *play() { yield steps.click(links[target], target); }};
    }
    return {goal: `Switch between the tabs to find and click on the link "${targetLink}".`, *play() {
        let i = $(root).tabs('option', 'active');
        const seen = new Set([i]);
        while (i !== where) {
            i = names.findIndex((_, k) => !seen.has(k));
            seen.add(i);
            yield steps.click(links[names[i]], names[i], {wanted: targetLink});
        }
        yield steps.click(wanted, targetLink);
    }};
};

kinds.dialog = (R, area) => {
    const labels = R.sample(['OK', 'Cancel', 'Yes', 'No', 'Save', 'Close', 'Delete', 'Apply', 'Back', R.word(), R.word()], R.int(0, 3)), clickable = [];
    const box = h('div', {title: R.pick(lexicon.words)}, R.sentence(R.int(3, 12)));
    area.append(...(R.chance(0.6) ? [h('div', {}, R.sentence(R.int(5, 25)))] : []), box);
    const buttons = labels.map((text) => ({text, click() {}}));
    $(box).dialog({width: R.int(110, 150), height: R.chance(0.6) ? 'auto' : R.int(90, 140), buttons, resizable: false,
                   position: {my: 'left top', at: `left+${R.int(0, 10)} top+${R.int(0, 20)}`, of: '#area'}});
    const frame = box.parentElement;
    frame.style.fontSize = `${R.int(8, 11)}px`;
    const cross = frame.querySelector('.ui-dialog-titlebar-close');
    for (const b of frame.querySelectorAll('.ui-dialog-buttonset button')) clickable.push(['button', b, b.textContent]);
    const toClose = !labels.length || R.chance(0.45);
    if (toClose) {
        return {goal: R.pick(['Close the dialog box by clicking the "x".', 'Close the dialog box by clicking the "x".', 'Close the dialog.', 'Click the x of the dialog.']), clickable,
                *play() { yield steps.click(cross, 'x'); }};
    }
    const [, wanted, label] = R.pick(clickable);
    return {goal: R.pick([`Click the button in the dialog box labeled "${label}".`, `Answer the dialog with ${label}.`, `Press ${label} in the dialog.`]), clickable,
            *play() { yield steps.click(wanted, label); }};
};

kinds.widgets = (R, area) => {
    const make = {
        radio: (t) => h('label', {}, h('input', {type: 'radio', name: 'r'}), t), checkbox: (t) => h('label', {}, h('input', {type: 'checkbox'}), t),
        text: (t) => h('input', {type: 'text', value: t}), textarea: (t) => h('textarea', {style: 'height:20px'}, t), button: (t) => button(t),
        link: (t) => h('span.link', {}, t),
    };
    const shown = Array.from({length: R.int(2, 6)}, () => R.pick(Object.keys(make)));
    const made = shown.map((kind) => {
        const e = make[kind](R.word().slice(0, 6));
        area.append(h('div', {style: 'margin:5px 0'}, e));
        return e;
    });
    const target = R.pick(shown), wanted = made[shown.indexOf(target)];
    return {goal: R.pick([`Click on a "${target}" widget.`, `Click on a "${target}" widget.`, `Click a ${target}.`]),
            *play() { yield steps.click(wanted.querySelector('input') || wanted, target); }};
};

kinds.colours = (R, area) => {
    const shown = R.sample(Object.keys(COLOURS), R.int(2, 6)), target = R.pick(shown);
    const size = R.int(16, 60);
    const squares = shown.map((c) => {
        const e = h('div', {style: `width:${size}px;height:${size}px;background:${COLOURS[c]};display:inline-block;margin:${R.int(1, 6)}px;border:${R.int(0, 1)}px solid #000`});
        area.append(e);
        return e;
    });
    return {goal: R.pick([`Click on the ${target} colored box.`, `Click the ${target} square.`, `Click ${target}`]),
            *play() { yield steps.click(squares[shown.indexOf(target)], `${target} box`); }};
};

const FORMS = {
    circle: (s) => svg('circle', {cx: s / 2, cy: s / 2, r: s / 2}), rectangle: (s) => svg('rect', {x: 0, y: 0, width: s, height: s}),
    square: (s) => svg('rect', {x: 0, y: 0, width: s, height: s}),
    triangle: (s) => svg('polygon', {points: `${s / 2},0 ${s},${s} 0,${s}`}),
};

/** Figures and letters in a grid. -> [{colour, size, what, element}] */
function figures(R, area, count) {
    const root = svg('svg', {width: 156, height: 120});
    area.append(root);
    const places = R.sample(Array.from({length: 20}, (_, i) => [8 + (i % 5) * 29, 6 + Math.floor(i / 5) * 28]), count);
    const letters = R.chance(0.5) ? '0123456789' : 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
    return places.map(([x, y]) => {
        const colour = R.pick(['red', 'green', 'blue', 'aqua', 'black', 'magenta', 'yellow', 'orange', 'purple', 'grey']), size = R.pick(['small', 'large']);
        const u = R.next(), side = size === 'small' ? 10 : 20;
        const what = u < 0.6 ? R.pick(['circle', 'rectangle', 'triangle']) : R.pick([...letters]);
        let element;
        if (FORMS[what]) {
            element = FORMS[what](side);
            element.setAttribute('transform', `translate(${x},${y})`);
        } else {
            element = svg('text', {x, y: y + side, 'font-size': side + 'px'}, what);
        }
        element.setAttribute('fill', COLOURS[colour]);
        root.append(element);
        return {colour, size, what, element, kind: FORMS[what] ? 'shape' : /\d/.test(what) ? 'digit' : 'letter'};
    });
}

/** Words for one of the figures that fit it and no other kind of thing. */
function describe(R, f) {
    const parts = [R.chance(0.5) ? f.size + ' ' : '', R.chance(0.6) ? f.colour + ' ' : ''];
    const noun = R.chance(0.6) ? f.what : R.chance(0.6) ? f.kind : 'item';
    return {text: parts.join('') + noun, fits: (g) => (!parts[0] || g.size === f.size) && (!parts[1] || g.colour === f.colour) && (noun === g.what || noun === g.kind || noun === 'item')};
}

kinds.shapes = (R, area) => {
    const all = figures(R, area, R.int(3, 16)), wanted = R.pick(all);
    const {text} = describe(R, wanted);
    return {goal: R.pick([`Click on a ${text}`, `Click on a ${text}`, `Click the ${text}.`]), *play() { yield steps.click(null, text, {box: boxOf(wanted.element)}); }};
};

kinds.counting = (R, area) => {
    const all = figures(R, area, R.int(1, 10)), {text, fits} = describe(R, R.pick(all));
    const count = all.filter(fits).length;
    const numbers = R.shuffle([...new Set([count, ...R.sample([0, 1, 2, 3, 4, 5, 6, 7, 8, 9], 5)])].slice(0, 5)).sort((a, b) => a - b);
    const row = h('div');
    area.append(row);
    const made = numbers.map((n) => { const b = button(String(n)); row.append(b, ' '); return b; });
    return {goal: R.pick([`How many ${text}s are there?`, `Count the ${text}s.`]),
            *play() { yield steps.click(made[numbers.indexOf(count)], String(count), {thought: `There are ${count}. Click ${count}.`}); }};
};

kinds.figure = (R, area) => {
    const what = R.pick(['Circle', 'Rectangle', 'Triangle', 'Letter', 'Number']);
    const root = svg('svg', {width: 150, height: R.int(60, 90)}), side = R.int(18, 44);
    const element = FORMS[what.toLowerCase()] ? FORMS[what.toLowerCase()](side)
        : svg('text', {y: side, 'font-size': side + 'px'}, what === 'Letter' ? R.pick([...'ABCDEFGHJKLMNPQRSTUVWXYZabcdefgh']) : String(R.int(0, 9)));
    element.setAttribute('fill', COLOURS[R.pick(['red', 'green', 'blue', 'aqua', 'black', 'magenta'])]);
    element.setAttribute('transform', `translate(${R.int(10, 100)},${R.int(2, 15)})`);
    root.append(element);
    area.append(root);
    const names = R.chance(0.5) ? ['Circle', 'Rectangle', 'Triangle', 'Letter', 'Number'] : R.shuffle(['Circle', 'Rectangle', 'Triangle', 'Letter', 'Number']);
    const made = names.map((n) => { const b = button(n); area.append(b, ' '); return b; });
    return {goal: R.pick(['Click the button that best describes the figure below.', 'What is drawn? Click its name.']), *play() { yield steps.click(made[names.indexOf(what)], what); }};
};

kinds.sides = (R, area) => {
    const sides = R.int(3, 9), size = R.int(18, 46), x = R.int(size + 2, 150 - size), y = size + R.int(2, 10), turn = R.next() * 6, isLine = R.chance(0.5);
    const points = Array.from({length: sides}, (_, i) => `${x + size * Math.cos(turn + i * 2 * Math.PI / sides)},${y + size * Math.sin(turn + i * 2 * Math.PI / sides)}`).join(' ');
    area.append(svg('svg', {width: 150, height: Math.ceil(y + size + 2)}, svg('polygon', {points, fill: isLine ? 'none' : R.pick(Object.values(COLOURS).slice(0, 9)), stroke: 'black', 'stroke-width': R.int(1, 4)})));
    let numbers = R.shuffle([sides, ...R.sample([3, 4, 5, 6, 7, 8, 9].filter((n) => n !== sides), R.int(2, 4))]);
    if (R.chance(0.5)) numbers = numbers.sort();
    const made = numbers.map((n) => { const b = button(String(n)); area.append(b, ' '); return b; });
    return {goal: 'Press the button that correctly denotes how many sides the shape has.',
            *play() { yield steps.click(made[numbers.indexOf(sides)], String(sides), {thought: `It has ${sides} sides. Click ${sides}.`}); }};
};

kinds.focus = (R, area) => {
    const count = R.int(1, 4), fields = [];
    for (let i = 0; i < count; ++i) {
        const field = h('input', {type: 'text'});
        fields.push(field);
        area.append(h('div', {style: `margin:${R.int(2, 24)}px ${R.int(0, 12)}px`}, field));
    }
    const i = R.int(0, count - 1);
    return {goal: count === 1 ? R.pick(['Focus into the textbox.', 'Click into the text field.']) : R.pick([`Focus into the ${ordinal(i)} input textbox.`, `Click the ${ordinal(i)} text field.`]),
            *play() { yield steps.click(fields[i], count === 1 ? 'textbox' : `${ordinal(i)} textbox`); }};
};

kinds.coordinate = (R, area) => {
    const side = R.int(110, 144), step = side / (4 + R.next() * 2), root = svg('svg', {width: side + 12, height: side + 12, style: `margin-left:${R.int(0, 144 - side)}px`}), dots = {};
    const fill = R.pick(['black', 'grey', 'blue', 'blue', 'green', 'red', 'white']), radius = 2 + R.next() * 3, isNumbered = R.chance(0.6), origin = R.chance(0.5) ? fill : 'red';
    for (let i = -2; i <= 2; ++i) {
        for (let j = -2; j <= 2; ++j) {
            const x = side / 2 + i * step + 6, y = side / 2 - j * step + 6;
            dots[`(${i},${j})`] = [x, y];
            root.append(svg('circle', {cx: x, cy: y, r: radius, fill: i === 0 && j === 0 ? origin : fill, stroke: 'black'}));
            if (isNumbered && (i === 0 || j === 0)) root.append(svg('text', {x: x - (i === 0 ? 13 : 4), y: y + (i === 0 ? 3 : 13), 'font-size': '9px', 'font-weight': 'bold'}, String(i === 0 ? j : i)));
        }
    }
    root.append(svg('line', {x1: 6, x2: side + 6, y1: side / 2 + 6, y2: side / 2 + 6, stroke: 'black'}), svg('line', {y1: 6, y2: side + 6, x1: side / 2 + 6, x2: side / 2 + 6, stroke: 'black'}));
    area.append(root);
    const target = R.pick(Object.keys(dots));
    return {goal: R.pick([`Click on the grid coordinate ${target}.`, `Click the point ${target}.`, `Click on ${target}.`]), *play() {
        const b = boxOf(root), [x, y] = dots[target];
        yield steps.click(null, target, {box: [b[0] + x - 5, b[1] + y - 5, b[0] + x + 5, b[1] + y + 5]});
    }};
};

kinds.plain = (R, area) => {
    const u = R.next();
    area.append(pause(R), pause(R));
    if (u < 0.3) {
        const b = button(R.pick(['Click Me!', 'Click', 'Button', R.word()]), {style: `margin:${R.int(0, 70)}px ${R.int(0, 70)}px`});
        area.append(b);
        return {goal: R.pick(['Click the button.', 'Press the button.']), *play() { yield steps.click(b, 'button'); }};
    }
    const names = u < 0.7 ? R.shuffle(['ONE', 'TWO']) : R.shuffle(R.pick([['submit', 'cancel'], ['previous', 'next'], ['no', 'yes'], ['back', 'forward'], ['Accept', 'Decline']]));
    const made = names.map((n) => {
        const b = button(n, {style: `position:absolute;left:${R.int(5, 90)}px;top:0`});
        area.append(b);
        return b;
    });
    const y = R.int(5, 60);
    made[0].style.top = `${y}px`;
    made[1].style.top = `${y + R.int(26, 70)}px`;
    const i = R.int(0, 1);
    if (u > 0.55 && u < 0.7) {
        return {goal: R.pick([`Click button ${names[i]}, then click button ${names[1 - i]}.`, `Click ${names[i]}, then ${names[1 - i]}.`]),
                *play() { yield steps.click(made[i], names[i]); yield steps.click(made[1 - i], names[1 - i]); }};
    }
    return {goal: R.pick([`Click button ${names[i]}.`, `Click the ${names[i]} button.`]), *play() { yield steps.click(made[i], names[i]); }};
};

/** Radio buttons or check boxes with a submit button. */
kinds.choices = (R, area) => {
    const kind = R.pick(['radio', 'checkbox', 'checkbox']), names = R.words(R.int(2, kind === 'radio' ? 6 : 9), () => (R.chance(0.85) ? R.word() : R.phrase()));
    const inputs = names.map((n) => {
        const input = h('input', {type: kind, name: 'g'});
        area.append(h('label', {}, input, n), h('br'));
        return input;
    });
    const label = R.pick(['Submit', 'Submit', 'Submit', 'Send', 'Apply', 'OK', 'Save']), submit = button(label);
    area.append(submit);
    const chosen = R.sample(names, kind === 'radio' ? 1 : R.pick([0, 1, 1, 2, 2, 3, 3, 4, 5]));
    const ordered = R.chance(0.7) ? names.filter((n) => chosen.includes(n)) : chosen;
    const goal = ordered.length ? R.pick([`Select ${ordered.join(', ')} and click ${label}.`, `Select ${ordered.join(', ')} and click ${label}.`, `Tick ${ordered.join(' and ')}, then press ${label}.`])
        : R.pick([`Select nothing and click ${label}.`, `Just click ${label}.`]);
    return {goal, clickable: names.map((n, i) => [kind, inputs[i].parentElement, n]), *play() {
        for (const n of ordered) yield steps.click(inputs[names.indexOf(n)], n, {named: inputs[names.indexOf(n)].parentElement});
        yield steps.click(submit, label);
    }};
};

kinds.sections = (R, area) => {
    const count = R.int(1, 4), titles = R.words(count, () => R.pick(lexicon.words)), root = h('div', {style: `font-size:${R.int(9, 11)}px`}), heads = [];
    const target = R.words(1, () => R.pick(lexicon.words))[0], where = R.int(0, count - 1), withLink = R.chance(0.6);
    let wanted, submit;
    titles.forEach((t, i) => {
        const head = h('h3', {}, count === 1 ? R.pick(['Section', `Section #1`, t]) : `Section #${i + 1}`), body = h('div');
        if (R.chance(0.5)) head.textContent = t;
        heads.push(head);
        R.words(R.int(2, 9), () => R.pick(lexicon.words)).filter((w) => w !== target).forEach((w) => body.append(withLink && R.chance(0.3) ? h('span.link', {}, w) : w, ' '));
        if (i === where) {
            if (withLink) body.append(wanted = h('span.link', {}, target), ' ');
            else if (count > 1) titles[i] = head.textContent;
        }
        root.append(head, body);
    });
    area.append(root);
    if (!withLink) area.append(submit = button('Submit'));
    $(root).accordion({collapsible: true, active: false, animate: false, heightStyle: 'content'});
    if (!withLink) {
        const head = heads[where], name = head.textContent;
        return {goal: count === 1 ? R.pick(['Expand the section below and click submit.', `Open ${name} and press Submit.`]) : `Expand ${name} and click Submit.`,
                *play() { yield steps.click(head, name); yield steps.click(submit, 'Submit'); }};
    }
    return {goal: R.pick([`Expand the sections below, to find and click on the link "${target}".`, `Find the link ${target} in the sections and click it.`]), *play() {
        for (const i of Array.from({length: count}, (_, k) => k)) {
            yield steps.click(heads[i], heads[i].textContent, {wanted: target});
            if (i === where) break;
        }
        yield steps.click(wanted, target);
    }};
};

kinds.ascending = (R, area) => {
    const count = R.int(2, 6), numbers = [...new Set(Array.from({length: count}, () => R.int(1, R.pick([9, 20, 99]))))];
    const root = h('div', {style: 'position:relative;height:140px'}), made = new Map();
    const places = R.sample(Array.from({length: 12}, (_, i) => [(i % 4) * 36 + R.int(0, 8), Math.floor(i / 4) * 40 + R.int(0, 8)]), numbers.length);
    numbers.forEach((n, i) => {
        const e = h('div', {style: `position:absolute;left:${places[i][0]}px;top:${places[i][1]}px;border:1px solid #000;width:22px;height:22px;line-height:22px;text-align:center;font-size:${R.int(10, 14)}px`}, String(n));
        root.append(e);
        made.set(n, e);
    });
    area.append(root);
    const down = R.chance(0.15), order = [...numbers].sort((a, b) => (down ? b - a : a - b));
    return {goal: down ? 'Click on the numbers in descending order.' : R.pick(['Click on the numbers in ascending order.', 'Click on the numbers in ascending order.', 'Click the numbers from low to high.']),
            *play() { for (const n of order) yield steps.click(made.get(n), String(n), {does: () => { if (R.state % 2) made.get(n).style.background = '#9f9'; }}); }};
};

kinds.greatest = (R, area) => {
    const numbers = [...new Set(Array.from({length: R.int(2, 5)}, () => R.int(0, R.pick([9, 30, 99]))))];
    const cards = numbers.map((n) => { const e = h('div', {style: 'display:inline-block;border:1px solid #444;border-radius:4px;width:26px;height:36px;line-height:36px;text-align:center;margin:3px;font-size:14px'}, String(n)); area.append(e); return e; });
    const submit = button('Submit'), least = R.chance(0.3), n = least ? Math.min(...numbers) : Math.max(...numbers);
    area.append(h('br'), submit);
    return {goal: R.pick([`Click on the card with the ${least ? 'smallest' : 'greatest'} number and press Submit.`, `Find and pick the card with the ${least ? 'lowest' : 'greatest'} number, then press submit.`]),
            *play() { const e = cards[numbers.indexOf(n)]; yield steps.click(e, String(n), {does: () => { e.style.borderColor = 'red'; e.style.borderWidth = '2px'; }}); yield steps.click(submit, 'Submit'); }};
};

kinds.menus = (R, area) => {
    const depth = R.int(1, 3), words = R.words(9, () => R.word()), path = words.slice(0, depth);
    const build = (level) => {
        const list = h('ul', level === 0 ? {style: `width:${R.int(60, 80)}px;font-size:${R.int(9, 11)}px`} : {style: 'width:70px'});
        const mine = R.shuffle([path[level], ...R.sample(words.slice(3), R.int(1, 3))]);
        for (const w of mine) {
            const row = h('div', {}, w), item = h('li', {}, row);
            if (w === path[level] && level + 1 < depth) item.append(build(level + 1));
            if (w === path[level]) targets[level] = row;
            list.append(item);
        }
        return list;
    };
    const targets = [], root = build(0);
    area.append(root);
    $(root).menu({position: {my: 'left top', at: 'left+20 bottom'}, delay: 0});
    return {goal: R.pick([`Select ${path.join('>')}`, `Select ${path.join(' > ')}`, `Choose ${path.join(', then ')}.`]), *play() {
        for (let i = 0; i < depth; ++i) {
            yield steps.click(targets[i], path[i], {does: () => { if (i + 1 < depth) $(root).menu('focus', null, $(targets[i]).closest('li')).menu('expand'); $(root).find('ul').first().show; const sub = $(targets[i]).siblings('ul'); sub.show().css({position: 'absolute', left: '20px', top: '16px'}).attr('aria-hidden', 'false'); }});
        }
    }};
};

kinds.tree = (R, area) => {
    const names = R.words(R.int(5, 9), () => R.name()), target = R.pick(names), parents = new Map(), rows = new Map();
    const root = h('div', {style: 'font-size:10px'});
    const grow = (into, list, above) => {
        while (list.length) {
            const name = list.shift(), row = h('div', {style: 'border:1px solid #ddd;padding:1px'}, '');
            const kids = h('div', {style: 'display:none;padding-left:12px'}), take = above.length < 2 && R.chance(0.5) ? list.splice(0, R.int(1, 3)) : [];
            row.append(take.length ? '\u25b8 ' : '', h('span', {}, name));
            rows.set(name, [row.querySelector('span'), kids]);
            parents.set(name, above);
            into.append(row, kids);
            if (take.length) grow(kids, take, [...above, name]);
        }
    };
    grow(root, [...names], []);
    area.append(root);
    const folders = names.filter((n) => rows.get(n)[1].childNodes.length);
    const open = (n) => { rows.get(n)[1].style.display = 'block'; };
    return {goal: `Navigate through the file tree. Find and click on the folder or file named "${target}".`, *play() {
        const opened = new Set();
        const visible = (n) => parents.get(n).every((p) => opened.has(p));
        while (!visible(target)) {
            const next = folders.find((f) => visible(f) && !opened.has(f));
            yield steps.click(rows.get(next)[0], next, {wanted: target, does: () => { opened.add(next); open(next); }});
        }
        yield steps.click(rows.get(target)[0], target);
    }};
};
