// SPDX-License-Identifier: Apache-2.0
// Tasks with lists: the browser's own, which open a window of their own, and those that pages draw.
'use strict';
(() => {
    const {all, click, is_shown, named, one, parts, press, tasks, text} = handeye;

    // The browser's own list: opened by a click, its entry chosen with the arrows.
    tasks['choose-list'] = (goal, memory) => {
        const list = one('#options');
        const wanted = [...list.options].findIndex((option) => text(option) === parts(goal, /^Select (.*) from the list/)[0]);
        if (list.selectedIndex === wanted) {
            return click(named('#area button', 'Submit'));
        }
        if (!memory.is_open) {
            memory.is_open = true;
            return click(list);
        }
        const steps = wanted - list.selectedIndex;
        return press([...Array(Math.abs(steps)).fill(steps > 0 ? 'Down' : 'Up'), 'Return'].join('+'));
    };
    // Several entries: the first by a click, the others by a click with Control held.
    tasks['click-scroll-list'] = (goal) => {
        const listed = parts(goal, /^Select (.*) from the scroll list/)[0];
        const options = all('#options option');
        const names = options.map(text);
        const pairs = names.flatMap((a) => names.map((b) => [a, b]));
        const wanted = names.includes(listed) ? [listed] : pairs.find(([a, b]) => `${a}, ${b}` === listed);
        const missing = options.filter((option) => wanted.includes(text(option)) && !option.selected);
        if (missing.length === 0) {
            return click(named('#area button', 'Submit'));
        }
        return click(missing[0], options.some((option) => option.selected) ? {hold_keys: ['ctrl']} : {});
    };
    tasks['form-sequence-3'] = (goal) => {
        const [height, answer] = parts(goal, /^Choose (.*) from the dropdown, then click the button labeled "(\w+)"\.$/);
        if (text(one('.selectric .label')) === height) {
            return click(named('#buttons button', answer));
        }
        const entry = named('.selectric-items li', height);
        return click(is_shown(entry) ? entry : one('.selectric'));
    };
})();
