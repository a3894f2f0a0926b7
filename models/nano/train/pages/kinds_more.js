// SPDX-License-Identifier: Apache-2.0
// Page kinds that look like small applications: mail, posts, search, contacts, tables of tickets, dragging and scrolling.
'use strict';

/** A drawn sign of an application: an arrow, a bin, a star, ... */
function icon(name, size) {
    const paths = {
        reply: 'M7 2 L1 7 L7 12 V9 C12 9 14 11 15 14 C15 8 12 5 7 5 Z', forward: 'M9 2 L15 7 L9 12 V9 C4 9 2 11 1 14 C1 8 4 5 9 5 Z',
        trash: 'M3 4 H13 V5 H3 Z M4 6 H12 L11 15 H5 Z M6 2 H10 V3 H6 Z', star: 'M8 1 L10 6 L15 6 L11 9 L13 15 L8 11 L3 15 L5 9 L1 6 L6 6 Z',
        share: 'M3 12 V6 H8 V3 L14 8 L8 13 V10 H5 V12 Z', like: 'M8 14 L2 7 C1 3 6 2 8 5 C10 2 15 3 14 7 Z', back: 'M7 2 L1 8 L7 14 V10 H15 V6 H7 Z',
        more: 'M1 7 H4 V10 H1 Z M6 7 H9 V10 H6 Z M11 7 H14 V10 H11 Z', retweet: 'M1 6 L4 2 L7 6 H5 V11 H10 V13 H3 V6 Z M15 10 L12 14 L9 10 H11 V5 H6 V3 H13 V10 Z',
    };
    return svg('svg', {width: size, height: size, viewBox: '0 0 16 16', style: 'vertical-align:middle'}, svg('path', {d: paths[name], fill: name === 'star' ? '#999' : '#555'}));
}

kinds.mail = (R, area) => {
    const people = R.words(R.int(2, 4), () => R.name()), target = R.pick(people), verb = R.pick(['delete', 'star', 'reply', 'forward', 'open']), size = R.int(10, 14);
    const inbox = h('div'), rows = people.map((n) => {
        const name = h('span', {style: 'font-weight:bold'}, n), bin = icon('trash', size), star = icon('star', size);
        const row = h('div', {style: 'border-bottom:1px solid #ccc;padding:2px;position:relative'}, h('span', {style: 'float:right'}, bin, ' ', star), name, h('div', {}, R.sentence(2)), h('div', {style: 'color:#777'}, R.sentence(R.int(3, 5)).slice(0, 26)));
        inbox.append(row);
        return {n, name, row, bin, star};
    });
    area.append(h('div', {style: 'background:#dde;padding:2px'}, 'Primary'), inbox);
    const one = rows.find((r) => r.n === target), said = R.phrase(3), to = R.name();
    const goal = {
        delete: [`Find the email by ${target} and click the trash icon to delete it.`, `Delete the mail from ${target}.`],
        star: [`Find the email by ${target} and click the star icon to mark it as important.`, `Mark the mail from ${target} as important.`],
        reply: [`Find the email by ${target} and reply to them with the text "${said}".`, `Reply to ${target} with "${said}".`],
        forward: [`Find the email by ${target} and forward that email to ${to}.`, `Forward the email from ${target} to ${to}.`],
        open: [`Open the email by ${target}.`, `Read the mail from ${target}.`],
    }[verb];
    return {goal: R.pick(goal), *play() {
        const quick = verb === 'delete' || verb === 'star';
        if (quick && R.chance(0.6)) return yield steps.click(null, verb === 'delete' ? 'trash' : 'star', {box: boxOf(verb === 'delete' ? one.bin : one.star)});
        const tools = {trash: icon('trash', size), star: icon('star', size), reply: icon('reply', size), forward: icon('forward', size)}, back = icon('back', size);
        const open = () => {
            area.replaceChildren(h('div', {style: 'background:#dde;padding:2px'}, back, ' ', tools.trash, ' ', tools.star), h('b', {}, target), h('div', {}, R.sentence(4)), h('p', {}, R.sentence(12)),
                h('div', {}, h('span', {}, tools.reply, ' Reply'), ' ', h('span', {}, tools.forward, ' Forward')));
        };
        yield steps.click(one.name, target, {does: open});
        if (verb === 'open') return;
        if (quick) return yield steps.click(null, verb === 'delete' ? 'trash' : 'star', {box: boxOf(verb === 'delete' ? tools.trash : tools.star)});
        const field = verb === 'reply' ? h('textarea', {style: 'width:145px;height:50px'}) : textField(), send = h('span', {style: 'float:right'}, icon('forward', size));
        yield steps.click(null, verb, {box: boxOf(tools[verb].parentElement), does: () => area.replaceChildren(h('div', {style: 'background:#dde;padding:2px'}, back, send), h('div', {}, 'to: ', verb === 'reply' ? target : field), verb === 'reply' ? field : h('p', {}, R.sentence(9)))});
        yield* fill(field, verb === 'reply' ? 'text area' : 'to', verb === 'reply' ? said : to);
        yield steps.click(null, 'send', {box: boxOf(send)});
    }};
};

kinds.posts = (R, area) => {
    const people = R.words(R.int(2, 4), () => '@' + R.name().toLowerCase()), target = R.pick(people), names = {reply: 'Reply', retweet: 'Retweet', like: 'Like', share: 'Share', more: 'More'}, size = R.int(10, 14);
    const what = R.pick(Object.keys(names));
    let wanted;
    for (const n of people) {
        const row = h('div', {style: 'padding:1px'});
        for (const k of Object.keys(names)) {
            const i = icon(k, size);
            row.append(h('span', {style: 'margin-right:8px'}, i));
            if (n === target && k === what) wanted = i;
        }
        area.append(h('div', {style: 'border-bottom:1px solid #ddd;padding:2px'}, h('b', {}, R.name()), ' ', h('span', {style: 'color:#777'}, n), h('div', {}, R.sentence(R.int(3, 6))), row));
    }
    return {goal: R.pick([`For the user ${target}, click on the "${names[what]}" button.`, `${names[what]} the post by ${target}.`]), *play() { yield steps.click(null, `${names[what]} of ${target}`, {box: boxOf(wanted)}); }};
};

kinds.search = (R, area) => {
    const text = R.name(), field = textField({style: 'width:90px'}), go = button('Search'), results = h('div'), wanted = R.int(0, 6), per = 3;
    area.append(field, go, results);
    const titles = R.words(9, () => R.name());
    let pages = [];
    const show = (p) => {
        results.replaceChildren(...titles.slice(p * per, p * per + per).map((t) => h('div', {style: 'margin:3px 0'}, h('span.link', {}, t), h('div', {style: 'color:#060'}, 'https://' + R.pick(lexicon.words) + '.com'), h('div', {}, R.sentence(3)))));
        pages = ['1', '2', '3', '>'].map((n) => h('span.link', {style: 'margin:0 4px'}, n));
        results.append(h('div', {}, ...pages));
    };
    return {goal: `Use the textbox to enter "${text}" and press "Search", then find and click the ${ordinal(wanted)} search result.`, *play() {
        yield* fill(field, 'textbox', text);
        yield steps.click(go, 'Search', {does: () => show(0)});
        const p = Math.floor(wanted / per);
        if (p) yield steps.click(pages[p], String(p + 1), {thought: `The ${ordinal(wanted)} result is on page ${p + 1}. Click ${p + 1}.`, does: () => show(p)});
        const link = results.querySelectorAll('.link')[wanted % per];
        yield steps.click(link, link.textContent);
    }};
};

kinds.contacts = (R, area) => {
    const people = R.words(R.int(2, 5), () => R.name()), target = R.pick(people), what = R.pick(['phone number', 'email', 'address']), body = h('div');
    const cards = people.map((n) => ({n, lines: {'phone number': `${R.int(100, 999)}-${R.int(100, 999)}-${R.int(1000, 9999)}`, email: `${n.toLowerCase()}@${R.pick(lexicon.words).toLowerCase()}.com`, address: `${R.int(1, 99)} ${R.name()} Street`}}));
    let links = {}, next;
    const show = (i) => {
        links = {};
        body.replaceChildren(h('h3', {style: 'margin:4px 0'}, cards[i].n), ...Object.entries(cards[i].lines).map(([k, v]) => { const a = h('span.link', {}, v); links[k] = a; return h('div', {}, k[0].toUpperCase() + k.slice(1) + ': ', a); }));
        next = h('span.link', {}, '>');
        body.append(h('div', {style: 'margin-top:8px;text-align:center'}, h('span.link', {}, '<'), ' ', `${i + 1}`, ' ', next));
    };
    area.append(body);
    show(0);
    return {goal: R.pick([`Find ${target} in the contact book and click on their ${what}.`, `Click the ${what} of ${target}.`]), *play() {
        let i = 0;
        while (cards[i].n !== target) {
            ++i;
            const now = i;
            yield steps.click(next, '>', {wanted: target, does: () => show(now)});
        }
        yield steps.click(links[what], what);
    }};
};

kinds.tickets = (R, area) => {
    const count = R.int(2, 4), by = R.pick(['cheapest', 'shortest']), root = h('div'), offers = [];
    for (let i = 0; i < count; ++i) {
        const price = R.int(50, 999), hours = R.int(1, 9), minutes = R.int(0, 59), b = button(`$${price}`);
        root.append(h('div', {style: 'border:1px solid #aaa;margin:2px;padding:2px'}, h('div', {}, `${R.name()} to ${R.name()}`), h('div', {}, `Duration: ${hours}h ${minutes}m`), b));
        offers.push({price, time: hours * 60 + minutes, b});
    }
    area.append(root);
    const best = offers.reduce((x, y) => ((by === 'cheapest' ? y.price < x.price : y.time < x.time) ? y : x));
    return {goal: R.pick([`Buy the ticket with the ${by === 'cheapest' ? 'cheapest price' : 'shortest duration'}.`, `Book the ${by} one.`]), *play() { yield steps.click(best.b, `$${best.price}`); }};
};

kinds.parity = (R, area) => {
    const numbers = [...new Set(Array.from({length: R.int(2, 4)}, () => R.int(0, 50)))], rows = numbers.map((n) => {
        const odd = button('Odd'), even = button('Even');
        area.append(h('div', {style: 'margin:3px'}, odd, h('span', {style: 'display:inline-block;width:30px;text-align:center'}, String(n)), even));
        return {n, odd, even};
    });
    const submit = button('Submit');
    area.append(submit);
    return {goal: 'Mark the numbers below as odd or even and press submit when done.', *play() {
        for (const r of rows) { const b = r.n % 2 ? r.odd : r.even; yield steps.click(b, `${b.textContent} ${r.n}`, {thought: `${r.n} is ${r.n % 2 ? 'odd' : 'even'}. Click ${b.textContent}.`, does: () => { b.style.background = '#7cf'; }}); }
        yield steps.click(submit, 'Submit');
    }};
};

kinds.scrollText = (R, area) => {
    const box = h('textarea', {style: 'width:140px;height:80px;font-size:10px', readonly: true}), submit = button('Submit'), text = Array.from({length: 8}, () => R.sentence(9)).join(' ');
    box.value = text;
    area.append(box, h('br'), submit);
    const down = R.chance(0.6);
    if (!down) box.scrollTop = 1000;
    return {goal: `Scroll the textarea to the ${down ? 'bottom' : 'top'} of the text hit submit.`, *play() {
        yield steps.scroll(box, down ? 'down' : 'up', 20, () => { box.scrollTop = down ? 10000 : 0; });
        yield steps.click(submit, 'Submit');
    }};
};

kinds.moveBox = (R, area) => {
    const colour = () => `hsl(${R.int(0, 359)},70%,50%)`, big = R.int(45, 70), small = R.int(14, 28), [bx, by] = [R.int(0, 80), R.int(0, 80)];
    let sx = 0, sy = 0;
    do {
        sx = R.int(0, 130);
        sy = R.int(0, 115);
    } while (sx + small > bx && sx < bx + big && sy + small > by && sy < by + big);
    const outer = h('div', {style: `position:absolute;left:${bx}px;top:${by}px;width:${big}px;height:${big}px;background:${colour()}`});
    const inner = h('div', {style: `position:absolute;left:${sx}px;top:${sy}px;width:${small}px;height:${small}px;background:${colour()}`});
    area.append(outer, inner);
    return {goal: R.pick(['Drag the smaller box so that it is completely inside the larger box.', 'Put the small box into the large box.']), *play() { yield steps.drag(() => boxOf(inner), () => boxOf(outer), 'smaller box', 'larger box', () => {}); }};
};

kinds.sortList = (R, area) => {
    const names = R.words(R.int(3, 6), () => R.name()), rows = names.map((n) => h('div', {style: 'border:1px solid #bbb;background:#f6f6f6;color:#222;margin:2px;padding:2px;width:80px'}, n)), submit = button('Submit');
    area.append(...rows, submit);
    const i = R.int(0, names.length - 1), j = R.pick(names.map((_, k) => k).filter((k) => k !== i));
    return {goal: R.pick([`Drag ${names[i]} to the ${ordinal(j)} position.`, `Move ${names[i]} to the ${ordinal(j)} position and press Submit.`]), *play() {
        yield steps.drag(() => boxOf(rows[i]), () => boxOf(rows[j]), names[i], ordinal(j), () => { (j > i ? rows[j].after(rows[i]) : rows[j].before(rows[i])); });
        yield steps.click(submit, 'Submit');
    }};
};

kinds.highlight = (R, area) => {
    const p = h('p', {style: `width:${R.int(100, 145)}px`}, R.sentence(R.int(3, 12))), submit = button('Submit');
    area.append(p, submit);
    const ends = () => { const range = document.createRange(); range.selectNodeContents(p); const all = [...range.getClientRects()], a = all[0], b = all[all.length - 1]; return [[a.left - 2, a.top, a.left + 2, a.bottom], [b.right - 2, b.top, b.right + 2, b.bottom]]; };
    return {goal: 'Highlight the text in the paragraph below and click submit.', *play() {
        yield steps.drag(() => ends()[0], () => ends()[1], 'text', 'its end', () => { p.style.background = '#338fff'; p.style.color = '#fff'; });
        yield steps.click(submit, 'Submit');
    }};
};

kinds.agreement = (R, area) => {
    const text = h('div', {style: 'height:60px;overflow-y:scroll;border:1px solid #999'}, Array.from({length: 6}, () => R.sentence(9)).join(' ')), field = textField(), name = R.name(), yes = button('Agree'), no = button('Cancel'), agree = R.chance(0.5);
    area.append(text, field, h('br'), yes, ' ', no);
    return {goal: `Scroll to the bottom of the textarea, enter the name "${name}" then press "${agree ? 'Agree' : 'Cancel'}"`, *play() {
        yield steps.scroll(text, 'down', 20, () => { text.scrollTop = 10000; });
        yield* fill(field, 'text field', name);
        yield steps.click(agree ? yes : no, agree ? 'Agree' : 'Cancel');
    }};
};

/** Nothing to do: words from edge to edge, to read. */
kinds.reading = (R, area) => {
    const wrap = document.getElementById('wrap');
    wrap.replaceChildren(area);
    area.style.height = '206px';
    area.style.overflow = 'hidden';
    const clickable = [];
    while (area.scrollHeight <= 212 && area.childNodes.length < 80) {
        const w = R.word(), u = R.next();
        const e = u < 0.3 ? h('span', {}, w) : u < 0.5 ? button(w) : u < 0.65 ? h('label', {}, h('input', {type: R.pick(['checkbox', 'radio'])}), w) : u < 0.8 ? h('span.link', {}, w)
            : u < 0.9 ? h('input', {type: 'text', value: w, style: 'width:60px'}) : h('b', {style: `font-size:${R.int(9, 16)}px`}, w);
        area.append(e, R.pick([' ', ' ', h('br')]));
        if (['BUTTON', 'LABEL', 'SPAN', 'B'].includes(e.tagName)) clickable.push([e.tagName === 'BUTTON' ? 'button' : e.tagName === 'LABEL' ? 'checkbox' : 'text', e, w]);
    }
    const asked = R.pick(clickable.length ? clickable : [['text', area, '']]);
    return {goal: R.pick([`Click ${asked[2]}.`, `Click on "${asked[2]}".`]), clickable, *play() { yield steps.click(asked[1], asked[2], {does() {}}); }};
};
