// SPDX-License-Identifier: Apache-2.0
// Tasks in which things are dragged: boxes, shapes, entries of lists.
'use strict';
(() => {
    const {all, at_rest, click, drag, middle, one, parts, reach, tasks, text} = handeye;
    const kWays = {left: [-1, 0], right: [1, 0], up: [0, -1], down: [0, 1]};

    tasks['drag-box'] = async () => {
        const [small, large] = [one('#draggableSmall'), one('#draggableLarge')];
        const [inner, outer] = [small.getBoundingClientRect(), large.getBoundingClientRect()];
        const is_inside = inner.left > outer.left + 5 && inner.right < outer.right - 5 && inner.top > outer.top + 5 &&
                          inner.bottom < outer.bottom - 5;
        if (is_inside) {
            return click(one('#subbtn'));
        }
        const from = await reach(small);
        const [a, b] = [middle(small), middle(large)];
        return drag(from, {x: from.x + b.x - a.x, y: from.y + b.y - a.y});
    };

    const drag_one = (selector) => async (goal, memory) => {
        if (memory.is_dragged) {
            return click(one('#subbtn'));
        }
        memory.is_dragged = true;
        const [dx, dy] = kWays[parts(goal, /^Drag the \w+ (left|right|up|down) then/)[0]];
        await reach(one(selector));
        const from = middle(one(selector)); // the pages move the middle of a shape under the pointer
        return drag(from, {x: from.x + 20 * dx, y: from.y + 20 * dy});
    };
    tasks['drag-circle'] = drag_one('#area svg circle');
    tasks['drag-single-shape'] = drag_one('#area svg > *');

    // Shapes into boxes: each into the middle of its own, beside those that are there.
    const kPlural = {rectangles: 'rect', circles: 'circle', triangles: 'polygon'};
    const loose_shapes = () => all('#area_svg > :not(#shape-container)');
    const inside = (shape, box) => {
        const [a, b] = [shape.getBoundingClientRect(), box.getBoundingClientRect()];
        return a.left > b.left + 2 && a.right < b.right - 2 && a.top > b.top + 2 && a.bottom < b.bottom - 2;
    };
    async function move_into(shape, box, nth) {
        const frame = box.getBoundingClientRect();
        const spot = {x: frame.left + frame.width * (0.25 + 0.25 * (nth % 3)), y: frame.top + frame.height * (nth < 3 ? 0.35 : 0.65)};
        return drag(await reach(shape), spot);
    }
    tasks['drag-shapes'] = async (goal) => {
        const kind = kPlural[parts(goal, /^Drag all (\w+) into/)[0]];
        const box = one('#shape-container');
        const wanted = loose_shapes().filter((shape) => shape.tagName === kind);
        const next = wanted.findIndex((shape) => !inside(shape, box));
        return next < 0 ? click(one('#subbtn')) : move_into(wanted[next], box, next);
    };
    tasks['drag-shapes-2'] = async (goal) => {
        const [word] = parts(goal, /^Drag all (\w+)(?: shapes)? into the left box/);
        const boxes = all('#shape-container').sort((a, b) => a.getBoundingClientRect().left - b.getBoundingClientRect().left);
        const is_left = (shape) => (kPlural[word] ? shape.tagName === kPlural[word] : shape.getAttribute('fill') === word);
        for (const [nth, shape] of loose_shapes().entries()) {
            const box = boxes[is_left(shape) ? 0 : 1];
            if (!inside(shape, box)) {
                return move_into(shape, box, nth);
            }
        }
        return click(one('#subbtn'));
    };

    // Sortable lists: the others make room once the middle of what is dragged lies in their box.
    const entries = () => all('#sortable > li');
    async function move_entry(from_index, to_index) {
        const list = entries();
        const from = await reach(list[from_index]);
        const shift = (axis) => middle(list[to_index])[axis] - middle(list[from_index])[axis];
        const nudge = (distance) => distance + Math.sign(distance) * 4;
        return drag(from, {x: from.x + nudge(shift('x')), y: from.y + nudge(shift('y'))});
    }
    tasks['drag-items'] = (goal) => {
        const [name, place] = parts(goal, /^Drag (.*?) (to the top|to the bottom|down by one|up by one|to the \d)/);
        const index = entries().findIndex((entry) => text(entry) === name);
        const target = {'to the top': 0, 'to the bottom': entries().length - 1, 'down by one': index + 1, 'up by one': index - 1};
        return move_entry(index, target[place] ?? Number(place.slice(-1)) - 1);
    };
    tasks['drag-items-grid'] = (goal) => {
        const [name, place] = parts(goal, /^Drag (.*?) (to the .*|\w+ by one)\.$/);
        const index = entries().findIndex((entry) => text(entry) === name);
        const way = kWays[place.split(' ')[0]];
        if (way) {
            return move_entry(index, index + way[0] + 3 * way[1]);
        }
        const row = /top/.test(place) ? 0 : /bottom/.test(place) ? 2 : 1;
        const column = /left/.test(place) ? 0 : /right/.test(place) ? 2 : 1;
        return move_entry(index, 3 * row + column);
    };
    tasks['drag-sort-numbers'] = async () => {
        await at_rest(entries()[0]);
        const numbers = entries().map((entry) => Number(text(entry)));
        const sorted = [...numbers].sort((a, b) => a - b);
        const place = sorted.findIndex((number, i) => numbers[i] !== number);
        return place < 0 ? click(one('#subbtn')) : move_entry(numbers.lastIndexOf(sorted[place]), place);
    };

    // Half hours of a day: pressed on the first, moved to the last, then named.
    tasks['daily-calendar'] = async (goal) => {
        const pattern = /^Create a ([\d.]+) (hours?|mins) event named "(\w+)", between (\w+) and (\w+)\.$/;
        const [length, unit, name, from, to] = parts(goal, pattern);
        const field = document.querySelector('#event-name');
        if (field) {
            return (await handeye.fill(field, name)) ?? click(one('#create-event .create'));
        }
        const count = unit === 'mins' ? Number(length) / 30 : Number(length) * 2;
        const slots = all('.half-hour');
        const index_of = (hour) => 2 * all('.hour-label').findIndex((label) => text(label) === hour.toLowerCase());
        const events = all('#area .event').map((event) => event.getBoundingClientRect());
        const is_free = (slot) => events.every((box) => box.bottom <= middle(slot).y - 10 || box.top >= middle(slot).y + 10);
        for (let start = index_of(from); start + count <= index_of(to); ++start) {
            const chosen = slots.slice(start, start + count);
            if (chosen.every(is_free)) {
                await reach(chosen[count - 1]);
                const first = await reach(chosen[0]);
                const last = middle(chosen[count - 1]);
                return drag(first, {x: last.x + 5, y: last.y + 3});
            }
        }
        throw new Error('no free time in the calendar');
    };
})();
