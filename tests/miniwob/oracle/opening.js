// SPDX-License-Identifier: Apache-2.0
// Tasks in which something has to be opened first: sections, tabs, menus, trees, pages of results.
'use strict';
(() => {
    const {all, click, is_shown, middle, named, on, one, open_spot, parts, tasks, text, until} = handeye;
    const hover = on('hover');

    const click_collapsible = (goal) => click(is_shown(one('.ui-accordion-content')) ? one('#subbtn') : one('#area h3'));
    tasks['click-collapsible'] = click_collapsible;
    tasks['click-collapsible-nodelay'] = click_collapsible;

    const click_link_in_section = (goal) => {
        const link = named('.alink', parts(goal, /link "(.*)"\.$/)[0]);
        const section = link.closest('.ui-accordion-content');
        return click(is_shown(section) ? link : section.previousElementSibling);
    };
    tasks['click-collapsible-2'] = click_link_in_section;
    tasks['click-collapsible-2-nodelay'] = click_link_in_section;

    tasks['click-tab'] = (goal) => click(one(`#area a[href="#tabs-${parts(goal, /Tab #(\d)/)[0]}"]`));
    const click_link_in_tab = (goal) => {
        const name = parts(goal, /link "(.*)"\.$/)[0];
        const link = all('.alink').find((candidate) => text(candidate) === name);
        if (!link) { // only the second tab of the medium kind is empty: there the tab itself is what is sought
            return click(one('#area a[href="#tabs-2"]'));
        }
        const panel = link.closest('.ui-tabs-panel');
        return click(is_shown(panel) ? link : one(`#area a[href="#${panel.id}"]`));
    };
    for (const kind of ['', '-easy', '-medium', '-hard']) {
        tasks[`click-tab-2${kind}`] = click_link_in_tab;
    }

    // A click on an entry with a menu of its own would count as the choice: those open under the pointer.
    const own_label = (entry) => text(one(':scope > div', entry));
    tasks['click-menu'] = async (goal) => {
        const path = parts(goal, /^Select (.*)$/)[0].split('>');
        let menu = one('#menu');
        let entry;
        for (const name of path) {
            if (!is_shown(menu)) {
                return await hover(one(':scope > div', entry));
            }
            entry = [...menu.children].find((child) => own_label(child) === name);
            menu = entry.querySelector(':scope > ul');
            if (menu && !is_shown(menu) && one(':scope > div', entry).classList.contains('ui-state-active')) {
                await until(() => is_shown(menu)); // the pointer is on it: its menu is about to open
            }
        }
        return click(one(':scope > div', entry));
    };
    tasks['click-menu-2'] = async (goal) => {
        if (!is_shown(one('#menu'))) {
            return click(one('#open-menu'));
        }
        const icon = document.querySelector('#query .ui-icon');
        const kind = icon && [...icon.classList].find((name) => name !== 'ui-icon');
        const entry = all('#menu li').find((item) => (icon ? item.querySelector(`:scope > div > .${kind}`)
                                                           : own_label(item) === parts(goal, /labeled "(.*)"/)[0]));
        if (!is_shown(entry)) {
            const parent = one(':scope > div', entry.parentElement.closest('li'));
            return (parent.classList.contains('ui-state-active') && await until(() => is_shown(entry))) ? click(entry) : hover(parent);
        }
        return click(entry);
    };

    tasks['navigate-tree'] = (goal) => {
        const name = parts(goal, /named "(.*)"\.?$/)[0];
        const label = named('#tree span', name);
        let closed = label;
        for (let at = label.parentElement.parentElement.closest('li'); at; at = at.parentElement.closest('li')) {
            closed = is_shown(one('ul > li', at)) ? closed : one(':scope > span', at); // ends with the outermost closed folder
        }
        return click(closed);
    };

    tasks['search-engine'] = (goal) => {
        const [name, place] = parts(goal, /enter "(.*)" and press "Search", then find and click the (\d)/);
        const field = one('#search-text');
        if (field.value !== name) {
            return handeye.fill(field, name);
        }
        if (all('#page-content a').length === 0) {
            return click(one('#search'));
        }
        const index = Number(place) - 1;
        const link = document.querySelector(`#page-content a[data-result="${index}"]`);
        return click(link ?? named('#pagination a', String(Math.floor(index / 3) + 1)));
    };

    // The pie opens from its middle. The slice that is selected from the start takes itself out of the page and back whenever the
    // pointer enters it, so that Chromium delivers the button's release to the picture around it; it does not while the pie still
    // unfolds. So the letter is clicked as soon as it has left the middle, and if that came too late the pie is closed and opened again.
    const kOutPx = 35;
    const kRounds = 4;
    const click_pie = async (goal, memory) => {
        const label = named('#divWheel [id*="-title-"]', parts(goal, /labeled "(.*)"\.$/)[0]);
        const hub = one('#divWheel [id$="-spreader"]');
        const is_out = () => {
            const [a, b] = [middle(label), middle(hub)];
            return Math.hypot(a.x - b.x, a.y - b.y) > kOutPx;
        };
        memory.clicks ??= 0; // hub to open, letter, hub to close, hub to open, letter ...
        if (memory.clicks >= 3 * kRounds) {
            return {verb: 'fail', message: 'the slice that is selected from the start takes no click'};
        }
        const turn = memory.clicks++ % 3;
        if (turn !== 1) {
            return click(hub);
        }
        return await until(is_out) ? {verb: 'click', ...open_spot(label)} : click(label);
    };
    tasks['click-pie'] = click_pie;
    tasks['click-pie-nodelay'] = click_pie;
})();
