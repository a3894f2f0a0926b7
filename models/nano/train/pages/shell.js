// SPDX-License-Identifier: Apache-2.0
// What every made-up page stands on: randomness from a seed, elements, steps, and what is drawn where.
'use strict';

/** Numbers from a seed (mulberry32), and choices made with them. */
class Random {
    constructor(seed) { this.state = seed >>> 0; }
    next() {
        this.state = (this.state + 0x6D2B79F5) >>> 0;
        let t = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
        t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
        return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    }
    int(low, high) { return low + Math.floor(this.next() * (high - low + 1)); }
    chance(p) { return this.next() < p; }
    pick(list) { return list[Math.floor(this.next() * list.length)]; }
    shuffle(list) {
        const all = [...list];
        for (let i = all.length - 1; i > 0; --i) {
            const j = this.int(0, i);
            [all[i], all[j]] = [all[j], all[i]];
        }
        return all;
    }
    sample(list, count) { return this.shuffle(list).slice(0, count); }
    /** A made-up word that can be spoken, now and then letters without sense. */
    nonce() {
        if (this.chance(0.3)) {
            const letters = this.chance(0.7) ? 'abcdefghijklmnopqrstuvwxyz' : 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
            return Array.from({length: this.int(2, 7)}, () => this.pick([...letters])).join('');
        }
        const starts = ['b', 'c', 'd', 'f', 'g', 'h', 'j', 'k', 'l', 'm', 'n', 'p', 'r', 's', 't', 'v', 'w', 'z', 'st', 'tr', 'ch', 'sh', 'pl', 'br', 'qu', ''];
        const ends = ['', '', 'n', 'r', 's', 't', 'l', 'x', 'm', 'nd', 'ck', 'ng'];
        return Array.from({length: this.int(1, 3)}, () => this.pick(starts) + this.pick([...'aeiouy']) + this.pick(ends)).join('');
    }
    /** A word of the lexicon or a made-up one, in some case. */
    word() {
        const u = this.next();
        let text = u < 0.55 ? this.pick(lexicon.words) : u < 0.8 ? this.nonce() : u < 0.95 ? this.pick(lexicon.common) : String(this.int(0, 9999));
        const v = this.next();
        if (v < 0.35) text = text[0].toUpperCase() + text.slice(1);
        else if (v < 0.42) text = text.toUpperCase();
        if (this.chance(0.03)) text = text.replace(/[aeiou]/, (c) => ({a: 'á', e: 'é', i: 'í', o: 'ö', u: 'ü'})[c]);
        return text;
    }
    /** Different ones, none the beginning of another. */
    words(count, make = () => this.word()) {
        const found = [];
        while (found.length < count) {
            const text = make();
            const low = text.toLowerCase();
            if (!found.some((other) => other.toLowerCase().startsWith(low) || low.startsWith(other.toLowerCase()))) found.push(text);
        }
        return found;
    }
    phrase(most = 2) { return Array.from({length: this.chance(0.6) ? 1 : this.int(1, most)}, () => this.word()).join(' '); }
    name() { return this.chance(0.6) ? this.pick(lexicon.names) : ((t) => t[0].toUpperCase() + t.slice(1).toLowerCase())(this.nonce()); }
    sentence(count) {
        const text = Array.from({length: count}, () => this.pick(lexicon.words)).join(' ');
        return text[0].toUpperCase() + text.slice(1) + this.pick(['.', '.', '.', '?', '!']);
    }
}

/** An element: h('button.big', {type: 'button'}, 'Save', h('b', {}, '!')) */
function h(kind, attributes = {}, ...children) {
    const [tag, ...classes] = kind.split('.');
    const element = document.createElement(tag);
    if (classes.length) element.className = classes.join(' ');
    for (const [key, value] of Object.entries(attributes)) {
        if (key === 'style') element.style.cssText = value;
        else if (key.startsWith('on')) element.addEventListener(key.slice(2), value);
        else if (value === true) element.setAttribute(key, '');
        else if (value !== false) element.setAttribute(key, value);
    }
    element.append(...children);
    return element;
}

function svg(tag, attributes, ...children) {
    const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...children);
    return element;
}

const boxOf = (element) => {
    const b = (element.getBoundingClientRect ? element : element.parentElement).getBoundingClientRect();
    return [b.left, b.top, b.right, b.bottom];
};

/** Where to click: the first line of an element's text, or all of it where it has none. */
function aimOf(element) {
    if (!['INPUT', 'SELECT', 'TEXTAREA'].includes(element.tagName)) {
        const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT, (node) => (node.data.trim() ? NodeFilter.FILTER_ACCEPT : NodeFilter.FILTER_SKIP));
        const text = walker.nextNode();
        if (text) {
            const range = document.createRange();
            range.selectNodeContents(text);
            const r = [...range.getClientRects()].find((one) => one.width > 2);
            if (r) return [r.left, r.top, r.right, r.bottom];
        }
    }
    return boxOf(element);
}

// ---------------------------------------------------------------- steps
// A step tells what is to be done, with what words it is thought and remembered, and does it in the page.
const focusOn = (element) => {
    document.querySelectorAll('.has-keyboard').forEach((e) => e.classList.remove('has-keyboard'));
    if (element && ['INPUT', 'TEXTAREA', 'SELECT'].includes(element.tagName)) element.classList.add('has-keyboard');
};
const missing = (wanted) => (wanted ? `Click ${wanted}. It is missing. ` : ''); // as of what is nowhere (data.py, LOST)
const steps = {
    /** box: a place instead of the element's own; named: where the words that name it are drawn; wanted: what was looked for in vain, so that this is clicked. */
    click: (element, label, {box, thought, verb = 'left_click', does, named, wanted} = {}) => ({
        verb, label, wanted, thought: thought || missing(wanted) + `Click ${label}.`, box: () => box || boxOf(element), aim: () => box || aimOf(element),
        named: () => named && boxOf(named), shown: () => element || null,
        act() { focusOn(element); if (does) does(); else if (element && element.click) element.click(); },
    }),
    type: (element, text, {thought, does} = {}) => ({
        verb: 'type', text, thought: thought || `Type ${text}.`,
        act() { if (does) return does(); element.value += text; element.dispatchEvent(new Event('input')); },
    }),
    key: (keys, does = () => {}, thought = `Press ${keys}.`) => ({verb: 'key', text: keys, thought, act: does}),
    /** end: the words that name where it ends. */
    drag: (from, to, label, end, does) => ({
        verb: 'left_drag', label, end, thought: `Drag ${label} to ${end}.`, box: from, aim: from, to, shown: () => null, named: () => null, act: does,
    }),
    scroll: (element, direction, amount, does, wanted) => ({
        verb: 'scroll', direction, amount, label: direction, wanted, thought: missing(wanted) + `Scroll ${direction}.`, box: () => boxOf(element), aim: () => boxOf(element),
        shown: () => null, named: () => null,
        act: does || (() => { element.scrollTop += (direction === 'down' ? 1 : -1) * amount * 100; }),
    }),
    done: (thought = 'All done.') => ({verb: 'done', thought, act() {}}),
};

// ---------------------------------------------------------------- what is drawn
function isShown(x, y, element) {
    if (x < 0 || y < 0 || x >= innerWidth || y >= innerHeight) return false;
    const top = document.elementFromPoint(x, y);
    return top !== null && (top === element || element.contains(top) || top.contains(element));
}

/** Every word that is to be seen: [text, x0, y0, x1, y1] in CSS pixels of this page. */
function wordsDrawn() {
    const found = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const range = document.createRange();
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
        if (['SCRIPT', 'STYLE', 'TEXTAREA', 'OPTION'].includes(node.parentElement.tagName)) continue;
        for (const match of node.data.matchAll(/\S+/g)) {
            range.setStart(node, match.index);
            range.setEnd(node, match.index + match[0].length);
            const r = range.getClientRects()[0];
            if (r && r.width > 1 && isShown((r.left + r.right) / 2, (r.top + r.bottom) / 2, node.parentElement)) {
                found.push([match[0], r.left, r.top, r.right, r.bottom]);
            }
        }
    }
    const pen = wordsDrawn.pen || (wordsDrawn.pen = document.createElement('canvas').getContext('2d'));
    for (const field of document.querySelectorAll('input, select')) {
        const isText = field.tagName === 'SELECT' || !['checkbox', 'radio', 'range', 'date', 'time', 'color'].includes(field.type);
        const b = field.getBoundingClientRect();
        if (!isText || b.width === 0 || !isShown((b.left + b.right) / 2, (b.top + b.bottom) / 2, field) || (field.tagName === 'SELECT' && field.size > 1)) continue;
        const text = field.tagName === 'SELECT' ? (field.selectedOptions[0] || {}).text || '' : field.value;
        const css = getComputedStyle(field);
        pen.font = css.font;
        let x = b.left + parseFloat(css.borderLeftWidth) + parseFloat(css.paddingLeft) + (field.tagName === 'SELECT' ? 4 : 0);
        if (css.textAlign === 'center') x = (b.left + b.right - pen.measureText(text).width) / 2;
        const middle = (b.top + b.bottom) / 2, half = parseFloat(css.fontSize) * 0.6;
        for (const match of text.matchAll(/\S+/g)) {
            const from = x + pen.measureText(text.slice(0, match.index)).width;
            const to = from + pen.measureText(match[0]).width;
            if (to < b.right) found.push([match[0], from, middle - half, to, middle + half]);
        }
    }
    return found;
}

// ---------------------------------------------------------------- a page
const page = {goal: '', play: null, step: null, history: [], kind: ''};

function shellStyle(R) {
    const benchLike = R.chance(0.55);
    const font = benchLike ? 'Arial' : R.pick(lexicon.fonts);
    const size = benchLike ? 10 : R.int(9, 13);
    const pale = () => `hsl(${R.int(0, 359)},${R.int(0, 90)}%,${R.int(88, 100)}%)`;
    const paper = benchLike || R.chance(0.6) ? '#fff' : R.chance(0.8) ? pale() : `hsl(${R.int(0, 359)},${R.int(0, 40)}%,${R.int(8, 22)}%)`;
    const dark = /hsl\(\d+,\d+%,(8|9|1\d|2\d)%\)/.test(paper);
    const ink = dark ? '#eee' : benchLike || R.chance(0.7) ? '#000' : `hsl(${R.int(0, 359)},60%,${R.int(5, 30)}%)`;
    const query = benchLike || R.chance(0.5) ? '#ff0' : pale(), high = benchLike ? 44 : R.int(30, 56), inset = R.chance(0.5) ? 2 : R.int(0, 12);
    let css = `body{background:${benchLike ? '#555' : R.pick(['#555', '#fff', '#ccc', '#345'])};font:14px ${font};margin:0;color:${ink}}
#wrap{width:160px;height:210px;background:${paper};overflow:hidden;position:relative}
#query{background:${query};color:#000;font-size:${size}px;height:${high}px;padding:3px;overflow:hidden}
#area{font-size:${size}px;padding:${R.chance(0.5) ? 2 : R.int(0, 12)}px ${inset}px;height:156px;position:relative}
#area input[type=text],#area input[type=password]{width:${R.int(90, 140)}px}
.has-keyboard{outline:${R.pick(['-webkit-focus-ring-color auto 1px', '-webkit-focus-ring-color auto 1px', '2px solid #101010'])}}
.link{color:#00e;text-decoration:underline;cursor:pointer}`;
    if (!benchLike) {
        css += `#area button{font:${size}px ${font};padding:${R.int(1, 5)}px ${R.int(4, 10)}px;border-radius:${R.int(0, 6)}px;` +
            (R.chance(0.5) ? `background:${pale()};border:1px solid #888;color:#111;` : '') + '}' +
            `#area label,#area a{font-size:${size}px}`;
        if (R.chance(0.3)) css += '.link{text-decoration:none}';
    }
    if (R.chance(0.3)) css += `#area button{font-size:${R.int(9, 17)}px;margin:${R.int(0, 4)}px;min-width:${R.int(0, 30)}px}`;
    return css;
}

/** Makes the page of a seed and its first step. */
function deal(seed, kind) {
    const R = new Random(seed);
    document.querySelectorAll('.ui-datepicker,.ui-dialog,.ui-autocomplete,.ui-menu,.ui-helper-hidden-accessible').forEach((e) => e.remove());
    const names = Object.keys(kinds);
    page.kind = kind || R.pick(names);
    document.getElementById('look').textContent = shellStyle(R);
    const query = h('div', {id: 'query'}), area = h('div', {id: 'area'});
    document.body.replaceChildren(h('div', {id: 'wrap'}, query, area));
    const made = kinds[page.kind](R, area);
    page.goal = made.goal;
    page.clickable = made.clickable || [];
    if (R.chance(0.92)) {
        const parts = made.goal.split(/("[^"]*")/);
        query.append(...parts.map((p) => (p.startsWith('"') && R.chance(0.5) ? h('b', {}, p) : p)));
    } else if (R.chance(0.5)) {
        query.remove();
    }
    page.play = made.play();
    page.history = [];
    page.step = page.play.next().value || null;
    return page.kind;
}

/** What is to be learnt from the page as it stands; null: it is over. */
function look() {
    const s = page.step;
    if (!s) return null;
    const told = {kind: page.kind, goal: page.goal, history: page.history, verb: s.verb, thought: s.thought, words: wordsDrawn(),
                  clickable: page.clickable.filter(([, e]) => { const b = boxOf(e); return b[2] > b[0] && isShown((b[0] + b[2]) / 2, (b[1] + b[3]) / 2, e); })
                      .map(([what, e, label]) => [what, label, boxOf(e), aimOf(e)])};
    for (const key of ['label', 'text', 'direction', 'amount', 'wanted', 'end']) if (s[key] !== undefined) told[key] = s[key];
    if (s.box) {
        told.box = s.box();
        told.aim = s.aim();
        const named = s.named && s.named();
        if (named) told.named = named;
        const [x0, y0, x1, y1] = told.aim;
        const x = (x0 + x1) / 2, y = (y0 + y1) / 2, element = s.shown && s.shown();
        told.ok = x > 0 && y > 0 && x < innerWidth && y < innerHeight && (!element || isShown(x, y, element));
    } else {
        told.ok = true;
    }
    if (s.to) told.to = s.to();
    return told;
}

/** Does the step; false: the page is over. */
function act() {
    const s = page.step;
    if (!s) return false;
    const said = s.verb === 'type' || s.verb === 'key' ? s.text : s.label;
    s.act();
    page.history = [...page.history, said === undefined ? s.verb : `${s.verb} ${said}`];
    page.step = page.play.next().value || null;
    return page.step !== null;
}
