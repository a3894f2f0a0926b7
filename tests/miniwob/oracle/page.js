// SPDX-License-Identifier: Apache-2.0
// What the oracle of the MiniWoB++ tasks stands on. It runs in an isolated world of the page: it sees what is drawn (elements, their
// boxes, their text) and none of the page's variables. It changes nothing: each task's function only names the next action, in
// canonical JSON with places in CSS pixels, and that action is carried out as real input.
'use strict';
(() => {
    const kPollMs = 30;
    const kStillPolls = 2;      // a box that stood still for so many polls has come to rest
    const kAnimationMs = 3000;  // the longest animation of these pages takes 600 ms
    const kFractions = [0.5, 0.3, 0.7, 0.15, 0.85, 0.05, 0.95];

    class Wanted extends Error {} // an action that has to come first; thrown by reach()

    const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
    const all = (selector, root = document) => [...root.querySelectorAll(selector)];
    const text = (element) => element.textContent.replace(/\s+/g, ' ').trim();
    const is_shown = (element) => {
        const box = element.getBoundingClientRect();
        return box.width > 0 && box.height > 0 && getComputedStyle(element).visibility !== 'hidden';
    };

    function one(selector, root = document) {
        const found = root.querySelector(selector);
        if (!found) {
            throw new Error(`the page holds no ${selector}`);
        }
        return found;
    }
    /// The first of the selector's elements with this text; those that are shown come first.
    function named(selector, name, root = document) {
        const found = all(selector, root).filter((element) => text(element) === name);
        if (found.length === 0) {
            throw new Error(`no ${selector} reads '${name}'`);
        }
        return found.find(is_shown) ?? found[0];
    }
    /// What the pattern's groups hold in the goal.
    function parts(goal, pattern) {
        const match = pattern.exec(goal);
        if (!match) {
            throw new Error(`the goal '${goal}' does not match ${pattern}`);
        }
        return match.slice(1);
    }

    /// Where a click on the element arrives at it; undefined: something else is in front, or it is scrolled away.
    function open_spot(element) {
        for (const box of element.getClientRects()) {
            for (const fy of kFractions) {
                for (const fx of kFractions) {
                    const spot = {x: box.left + box.width * fx, y: box.top + box.height * fy};
                    const hit = document.elementFromPoint(spot.x, spot.y);
                    if (hit && (hit === element || element.contains(hit))) {
                        return spot;
                    }
                }
            }
        }
        return undefined;
    }

    /// The view that has to move for the element to come into it, and which way.
    function scroll_to(element) {
        const box = element.getBoundingClientRect();
        for (let at = element.parentElement; at; at = at.parentElement) {
            const is_page = at === document.documentElement;
            const flow = getComputedStyle(at).overflowY;
            if (at.scrollHeight <= at.clientHeight + 1 || (!is_page && flow !== 'auto' && flow !== 'scroll')) {
                continue;
            }
            const view = is_page ? {top: 0, bottom: innerHeight, left: 0, width: innerWidth} : at.getBoundingClientRect();
            const is_below = box.bottom > view.bottom;
            if (is_below || box.top < view.top) {
                const middle = (Math.max(view.top, 0) + Math.min(view.bottom, innerHeight)) / 2;
                return {verb: 'scroll', x: view.left + view.width / 2, y: middle, direction: is_below ? 'down' : 'up', amount: 1};
            }
        }
        return undefined;
    }

    /// Waits until the element's box stands still.
    async function at_rest(element) {
        let last = '';
        for (let waited = 0, still = 0; waited < kAnimationMs && still < kStillPolls; waited += kPollMs) {
            const box = element.getBoundingClientRect();
            const now = [box.left, box.top, box.width, box.height].join();
            still = now === last ? still + 1 : 0;
            last = now;
            await sleep(kPollMs);
        }
    }

    /// A place on the element where input reaches it. Where it must be scrolled into view first, that is the next action.
    async function reach(element) {
        await at_rest(element);
        const spot = open_spot(element);
        if (spot) {
            return spot;
        }
        const scroll = scroll_to(element);
        if (scroll) {
            throw Object.assign(new Wanted('scroll'), {action: scroll});
        }
        throw new Error(`<${element.tagName.toLowerCase()}> '${text(element).slice(0, 40)}' cannot be reached`);
    }

    const on = (verb) => async (element, more = {}) => ({verb, ...(await reach(element)), ...more});
    const drag = (from, to) => ({verb: 'drag', x: from.x, y: from.y, to_x: to.x, to_y: to.y});
    const middle = (element) => {
        const box = element.getBoundingClientRect();
        return {x: box.left + box.width / 2, y: box.top + box.height / 2};
    };
    /// Replaces what a field holds; undefined when it holds that already.
    async function fill(field, value) {
        return field.value === value ? undefined : on('type')(field, {text: value, clear: field.value !== ''});
    }
    const press = (keys) => ({verb: 'key', keys});
    const wait = (seconds = 0.1) => ({verb: 'wait', seconds});
    /// Waits until `is_so` or the time is over; whether it became so.
    async function until(is_so, ms = kAnimationMs) {
        for (let waited = 0; waited < ms; waited += kPollMs) {
            if (is_so()) {
                return true;
            }
            await sleep(kPollMs);
        }
        return is_so();
    }

    /// A table of words or patterns that the page's source spells out (what is a synonym of what): general knowledge, no answer.
    function table_in_page(name) {
        for (const script of document.scripts) {
            const match = new RegExp(`var ${name} =\\s*(\\[[\\s\\S]*?\\n\\s*\\]);`).exec(script.textContent);
            if (match) {
                return new Function(`return ${match[1]};`)();
            }
        }
        throw new Error(`the page's source has no table ${name}`);
    }

    const tasks = {};
    const memory = {};

    /// The next action for the task; `goal` is the page's utterance: a text, or {utterance, fields}.
    async function next(task, goal) {
        if (!tasks[task]) {
            throw new Error(`the oracle does not know the task ${task}`);
        }
        const sentence = typeof goal === 'string' ? goal : goal.utterance;
        try {
            return await tasks[task](sentence, memory, goal.fields);
        } catch (error) {
            if (error instanceof Wanted) {
                return error.action;
            }
            throw error;
        }
    }

    globalThis.handeye = {
        all, at_rest, click: on('click'), double_click: on('double_click'), drag, fill, is_shown, middle, named, next, on, one, open_spot,
        parts, press, reach, sleep, table_in_page, tasks, text, triple_click: on('triple_click'), until, wait,
    };
})();
