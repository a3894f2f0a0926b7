// SPDX-License-Identifier: Apache-2.0
// Tasks of one click, or of several on things that are all in view: buttons, boxes, links, shapes, cards.
'use strict';
(() => {
    const {all, click, named, one, parts, table_in_page, tasks, text, wait} = handeye;

    const click_quoted_button = (goal) => click(named('#area button', parts(goal, /^Click on the "(.*)" button\.$/)[0]));
    tasks['click-button'] = click_quoted_button;
    tasks['unicode-test'] = click_quoted_button;
    tasks['click-test'] = () => click(one('#subbtn'));
    tasks['click-test-2'] = (goal) => click(named('#area button', parts(goal, /^Click button (\w+)\.$/)[0]));
    tasks['click-test-transfer'] = tasks['click-test-2'];
    tasks['click-button-sequence'] = (goal, memory) => {
        memory.clicked = (memory.clicked ?? 0) + 1;
        return click(named('#area button', memory.clicked === 1 ? 'ONE' : 'TWO'));
    };

    // Check boxes: the names in the goal, each in a state of its own.
    const ticks = (pattern, is_wanted) => (goal) => {
        const listed = parts(goal, pattern)[0];
        const names = listed === 'nothing' ? [] : listed.split(', ');
        for (const label of all('#area label')) {
            const box = one('input', label);
            if (box.checked !== is_wanted(text(label), names)) {
                return click(box);
            }
        }
        return click(one('#subbtn'));
    };
    const exact = ticks(/^Select (.*) and click Submit\.$/, (name, names) => names.includes(name));
    tasks['click-checkboxes'] = exact;
    tasks['click-checkboxes-large'] = exact;
    tasks['click-checkboxes-transfer'] = exact;
    tasks['click-option'] = exact;
    tasks['click-checkboxes-soft'] = ticks(/^Select words similar to (.*) and click Submit\.$/, (name, names) =>
        table_in_page('SYNONYMS').some((group) => group.includes(name) && names.some((wanted) => group.includes(wanted))));

    tasks['number-checkboxes'] = (goal) => {
        const pattern = table_in_page('PATTERNS')[Number(parts(goal, /number "(\d)"/)[0])].flat();
        const wrong = all('#checkboxes input').find((box, i) => box.checked !== (pattern[i] === 1));
        return click(wrong ?? one('#subbtn'));
    };

    tasks['click-color'] = (goal) => {
        const sought = document.createElement('i');
        sought.style.color = parts(goal, /^Click on the (.*) colored box\.$/)[0].replace(/;$/, '');
        const is_sought = (box) => box.style.backgroundColor === sought.style.color;
        return click(all('#area .color').find(is_sought));
    };
    // The hue decides: red 0, green 120, blue 240; then the greatest of the three channels names it.
    tasks['click-shades'] = (goal) => {
        const channel = ['red', 'green', 'blue'].indexOf(parts(goal, /shades of (\w+)/)[0]);
        for (const shade of all('#area span')) {
            const levels = getComputedStyle(shade).backgroundColor.match(/\d+/g).map(Number);
            const is_wanted = levels[channel] === Math.max(...levels.slice(0, 3));
            if (is_wanted !== shade.classList.contains('selected')) {
                return click(shade);
            }
        }
        return click(one('#submit'));
    };

    tasks['click-dialog'] = () => click(one('.ui-dialog-titlebar button'));
    tasks['click-dialog-2'] = (goal) => {
        const label = parts(goal, /labeled "(.*)"/)[0];
        return click(label === 'x' ? one('.ui-dialog-titlebar button') : named('.ui-dialog-buttonset button', label));
    };
    tasks['click-link'] = (goal) => click(named('.alink', parts(goal, /link "(.*)"\.$/)[0]));
    tasks['click-widget'] = (goal) => click(one(`[data-type="${parts(goal, /"(\w+)"/)[0]}"]`));
    tasks['focus-text'] = () => click(one('#tt'));
    tasks['focus-text-2'] = (goal) => click(one(`#tt${parts(goal, /the (\d)/)[0]}`));
    tasks['grid-coordinate'] = (goal) => click(document.getElementById(parts(goal, /(\([-\d]+,[-\d]+\))/)[0]));

    // Shapes. What a thing is stands in its tag, its size and its text.
    const kKinds = {circle: 'circle', rect: 'rectangle', polygon: 'triangle'};
    function described(shape) {
        const kind = kKinds[shape.tagName];
        const name = kind ?? shape.textContent;
        const extent = kind ? shape.getBBox().width : Number.parseFloat(shape.getAttribute('font-size'));
        return {
            size: extent > 15 ? 'large' : 'small', // 20 or 10
            color: shape.getAttribute('fill'),
            names: ['item', name, kind ? 'shape' : /\d/.test(name) ? 'digit' : 'letter'],
        };
    }
    function matches(shape, words) {
        const {size, color, names} = described(shape);
        const rest = [...words];
        const is_size = !['large', 'small'].includes(rest[0]) || rest.shift() === size;
        const is_color = rest.length < 2 || rest.shift() === color;
        return is_size && is_color && names.includes(rest[0]);
    }
    const svg_shapes = () => all('#area_svg > *');
    tasks['click-shape'] = (goal) => {
        const words = parts(goal, /^Click on a (.*)$/)[0].split(' ');
        return click(svg_shapes().find((shape) => matches(shape, words)));
    };
    tasks['count-shape'] = (goal) => {
        const words = parts(goal, /^How many (.*)s are there\?$/)[0].split(' ');
        return click(named('#count-buttons button', String(svg_shapes().filter((shape) => matches(shape, words)).length)));
    };
    tasks['identify-shape'] = () => {
        const shape = svg_shapes()[0];
        const kind = kKinds[shape.tagName] ?? (/\d/.test(shape.textContent) ? 'number' : 'letter');
        return click(all('#area-buttons button').find((button) => text(button).toLowerCase() === kind));
    };

    // The numbers are covered once the first of them was clicked: where they were is remembered.
    tasks['ascending-numbers'] = (goal, memory) => {
        if (!memory.places) {
            const numbers = all('#area_svg text').sort((a, b) => Number(a.textContent) - Number(b.textContent));
            memory.places = numbers.map((number) => handeye.middle(number));
            memory.places.shift();
            return click(numbers[0]);
        }
        return {verb: 'click', ...memory.places.shift()};
    };

    const book_value = (trip, wish) => wish.includes('cost') ? Number(one('.buy-ticket', trip).dataset.price)
                                                            : Number(one('.time-duration', trip).dataset.duration);
    tasks['buy-ticket'] = (goal) => {
        const wish = parts(goal, /the ticket with the (.*)\.$/)[0];
        const sign = /cheapest|shortest/.test(wish) ? 1 : -1;
        const trips = all('.flight').sort((a, b) => sign * (book_value(a, wish) - book_value(b, wish)));
        return click(one('.buy-ticket', trips[0]));
    };

    // Cards show their number while they are turned up, one at a time.
    tasks['find-greatest'] = (goal, memory) => {
        const cards = all('.card');
        memory.values ??= [];
        const up = cards.findIndex((card) => !card.classList.contains('hidden'));
        if (up >= 0) {
            memory.values[up] = Number(text(cards[up]));
        }
        const unknown = cards.findIndex((card, i) => memory.values[i] === undefined);
        const best = memory.values.indexOf(Math.max(...memory.values));
        return click(unknown >= 0 ? cards[unknown] : up !== best ? cards[best] : one('#submit'));
    };
    tasks['generate-number'] = (goal) => {
        const shown = text(one('#display-number'));
        const [, what, limit] = /Generate an? (?:number (less|greater) than (\d+)|.*), then/.exec(goal);
        const number = Number(shown);
        const is_good = what === 'less' ? number < Number(limit) : what === 'greater' ? number > Number(limit)
                                        : (number % 2 === 0) === goal.includes('even');
        return click(one(shown !== '-' && is_good ? '#submit' : '#generate'));
    };
    tasks['odd-or-even'] = () => {
        for (const row of all('#numbers .row')) {
            const is_odd = Number(text(one('.display-number', row))) % 2 !== 0;
            const button = one(is_odd ? '.odd' : '.even', row);
            if (!button.classList.contains('selected')) {
                return click(button);
            }
        }
        return click(one('#submit'));
    };

    // The price changes ten times a second. Right after a change there is time for a click, if the price is good enough then; with
    // two steps of the price to spare there is time in any case.
    tasks['stock-market'] = async (goal, memory) => {
        const limit = Number(parts(goal, /less than \$([\d.]+)\.$/)[0]);
        if (!memory.is_over) {
            memory.is_over = true;
            return handeye.on('hover')(one('#buy')); // the pointer is there already when the moment comes
        }
        const label = one('#stock-price');
        const price = () => Number(text(label).slice(1));
        const points = () => all('#area svg circle').length;
        const spare = () => (points() < 50 ? 3 : points() < 70 ? 1.5 : 0);
        const is_good = await new Promise((done) => {
            const watch = new MutationObserver(() => text(label) && price() <= limit - spare() && (watch.disconnect(), done(true)));
            watch.observe(label, {childList: true, characterData: true, subtree: true});
        });
        return is_good ? click_at_once(one('#buy')) : wait();
    };
    const click_at_once = (element) => ({verb: 'click', ...handeye.open_spot(element)});

    tasks['order-food'] = (goal) => {
        const [count, type] = /^Order (\d) items that are (.*)$/.exec(goal)?.slice(1) ?? [];
        const items = all('.food-item');
        const names = items.filter((item) => goal.includes(text(one('.item-name', item))));
        const chosen = type ? items.filter((item) => all('img', item).some((icon) => icon.alt === type)).slice(0, 1) : names;
        for (const item of chosen) {
            const ordered = Number(text(one('.quantity', item)) || 0);
            if (ordered < (type ? Number(count) : 1)) {
                return click(one('.add', item));
            }
        }
        return click(one('#submit-order button'));
    };
    tasks['phone-book'] = (goal) => {
        const [name, property] = parts(goal, /^Find (.*) in the contact book and click on their (phone|email|address)/);
        return click(text(one('#contact .name')) === name ? one(`#contact .${property}`) : one('#pagination .next a'));
    };
})();
