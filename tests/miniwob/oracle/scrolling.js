// SPDX-License-Identifier: Apache-2.0
// Tasks in which an inner view is scrolled, with the wheel.
'use strict';
(() => {
    const {all, click, fill, is_shown, one, parts, reach, tasks, text} = handeye;
    const kRestPx = 2; // a view is at its end when no more than this is left

    async function scroll_to_end(view, direction) {
        const left = direction === 'down' ? view.scrollHeight - view.clientHeight - view.scrollTop : view.scrollTop;
        return left > kRestPx ? {verb: 'scroll', ...(await reach(view)), direction, amount: 3} : undefined;
    }

    tasks['scroll-text'] = async () => {
        const area = one('#text-area');
        const word = area.value.trim().split(/\s/).pop().replace(/[^a-zA-Z0-9]/g, '');
        return (await scroll_to_end(area, 'down')) ?? (await fill(one('#answer-input'), word)) ?? click(one('#subbtn'));
    };
    tasks['scroll-text-2'] = async (goal) => {
        const direction = parts(goal, /to the (bottom|top)/)[0] === 'bottom' ? 'down' : 'up';
        return (await scroll_to_end(one('#text-area'), direction)) ?? click(one('#subbtn'));
    };
    tasks['sign-agreement'] = async (goal) => {
        const signed = /enter the name "(.*)" then press "(\w+)"/.exec(goal);
        if (!signed) {
            return click(one('#cancel'));
        }
        return (await scroll_to_end(one('#text-area'), 'down')) ?? (await fill(one('#name'), signed[1])) ??
               click(one(`#${signed[2].toLowerCase()}`));
    };

    const kButtons = {Reply: 'reply', Retweet: 'retweet', Like: 'like', Share: 'share'};
    const posts_by = (user) => all('.media').filter((post) => text(one('.username', post)) === user);
    tasks['social-media'] = (goal) => {
        const [user, label] = parts(goal, /^For the user (@\S+), click on the "(.*)" button\.$/);
        const post = posts_by(user)[0];
        if (kButtons[label]) {
            return click(one(`.${kButtons[label]}`, post));
        }
        const entry = all('ul li', post).find((item) => text(item).startsWith(label));
        return click(is_shown(entry) ? entry : one('.more', post));
    };
    const mark_posts = (goal) => {
        const [label, count, user] = parts(goal, /^Click the "(\w+)" button on (all|\d+) posts? by (@\S+) and/);
        const buttons = posts_by(user).map((post) => one(`.${kButtons[label]}`, post));
        const wanted = buttons.slice(0, count === 'all' ? buttons.length : Number(count));
        return click(wanted.find((button) => !button.classList.contains('active')) ?? one('#submitRow button'));
    };
    tasks['social-media-all'] = mark_posts;
    tasks['social-media-some'] = mark_posts;
})();
