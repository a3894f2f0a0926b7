// SPDX-License-Identifier: Apache-2.0
// Tasks in which text is marked with the mouse, and then styled.
'use strict';
(() => {
    const {all, click, drag, is_shown, one, parts, tasks} = handeye;

    /// The text nodes under an element.
    function text_nodes(element) {
        const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
        const nodes = [];
        while (walker.nextNode()) {
            nodes.push(walker.currentNode);
        }
        return nodes;
    }
    /// The box of one character: [node, index].
    function box_of([node, index]) {
        const range = document.createRange();
        range.setStart(node, index);
        range.setEnd(node, index + 1);
        return range.getClientRects()[0];
    }
    /// From before the first of these characters to behind the last.
    function mark(characters) {
        const first = box_of(characters[0]);
        const last = box_of(characters[characters.length - 1]);
        return drag({x: first.left + 0.5, y: first.top + first.height / 2}, {x: last.right + 0.5, y: last.top + last.height / 2});
    }
    const characters_of = (element) =>
        text_nodes(element).flatMap((node) => [...node.data].map((character, i) => [node, i, character]));
    const trimmed = (characters) => {
        const is_ink = ([, , character]) => character.trim() !== '';
        return characters.slice(characters.findIndex(is_ink), characters.findLastIndex(is_ink) + 1);
    };
    const plain = (string) => string.replace(/\s/g, '');
    const marked = () => plain(getSelection().toString());

    const mark_paragraph = (choose) => (goal) => {
        const paragraph = choose(goal);
        return marked() === plain(paragraph.textContent) ? click(one('#subbtn')) : mark(trimmed(characters_of(paragraph)));
    };
    tasks['highlight-text'] = mark_paragraph(() => one('#randomText'));
    tasks['highlight-text-2'] = mark_paragraph((goal) => all('#randomText p')[Number(parts(goal, /the (\d)/)[0]) - 1]);

    // The editor: mark, then the button, or the first of the colour's swatches.
    const kButtons = {bold: '.ql-bold', italics: '.ql-italic', underlined: '.ql-underline'};
    const kColors = {red: '#e60000', orange: '#ff9900', yellow: '#ffff00', green: '#008a00', blue: '#0066cc', purple: '#9933ff'};
    tasks['text-editor'] = async (goal, memory) => {
        const [, everything, word, color, style] =
            /(?:give|make) (?:(everything)|the text (\S+)) the (?:color (\w+)|style (\w+))/.exec(goal);
        if (memory.is_styled) {
            return click(one('#subbtn'));
        }
        const characters = characters_of(one('.ql-editor'));
        if (!memory.is_marked) {
            memory.is_marked = true;
            const whole = characters.map(([, , character]) => character).join('');
            const start = everything ? 0 : whole.split(' ').slice(0, whole.split(' ').indexOf(word)).join(' ').length;
            const from = everything || start === 0 ? start : start + 1;
            return mark(characters.slice(from, from + (everything ? whole.length : word.length)));
        }
        const wanted = everything ? plain(one('.ql-editor').textContent) : word;
        if (marked() !== wanted && !memory.is_open) {
            throw new Error(`'${marked()}' is marked, not '${wanted}'`);
        }
        if (style) {
            memory.is_styled = true;
            return click(one(`.ql-toolbar ${kButtons[style]}`));
        }
        const swatch = one(`.ql-color .ql-picker-item[data-value="${kColors[color]}"]`);
        memory.is_open = true; // the menu of colours hides what is marked until one is chosen
        memory.is_styled = is_shown(swatch);
        return click(is_shown(swatch) ? swatch : one('.ql-color .ql-picker-label'));
    };
})();
