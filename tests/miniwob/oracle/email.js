// SPDX-License-Identifier: Apache-2.0
// The inbox: find the thread, then star, delete, answer or forward it.
'use strict';
(() => {
    const {all, click, fill, is_shown, one, tasks, text} = handeye;

    /// {task, by, to, message}: the page's own fields of a goal in free words; otherwise read from the goal.
    function wishes(goal, fields) {
        if (fields) {
            return {task: fields.task ?? 'forward', ...fields};
        }
        const by = /^Find the email by (.+?) and /.exec(goal)[1];
        const message = /reply to them with the text "(.*)"\.$/.exec(goal)?.[1];
        const to = /forward that email to (.*)\.$/.exec(goal)?.[1];
        return {task: message ? 'reply' : to ? 'forward' : /trash/.test(goal) ? 'delete' : 'star', by, to, message};
    }
    const threads_by = (sender) => all('#main .email-thread').filter((thread) => text(one('.email-sender', thread)) === sender);

    const handle_email = async (goal, memory, fields) => {
        const {task, by, to, message} = wishes(goal, fields);
        const threads = threads_by(by);
        if (task === 'forward' && threads.length > 1) { // the text that is forwarded counts, and the goal names the sender alone
            return {verb: 'fail', message: `${threads.length} threads are by ${by}`};
        }
        if (task === 'star' || task === 'delete') {
            return click(one(task === 'star' ? '.star' : '.trash', threads[0]));
        }
        const reply = document.querySelector('#reply');
        if (reply) {
            return (await fill(one('#reply-text'), message)) ?? click(one('#send-reply'));
        }
        const forward = document.querySelector('#forward');
        if (forward) {
            return (await fill(one('.forward-sender', forward), to)) ?? click(one('#send-forward'));
        }
        const open = document.querySelector('#email');
        if (open && is_shown(open)) {
            return click(one(task === 'reply' ? '.email-reply' : '.email-forward', open));
        }
        return click(one('.email-sender', threads[0]));
    };
    for (const kind of ['', '-delete', '-forward', '-forward-nl', '-forward-nl-turk', '-important', '-nl-turk', '-noscroll', '-reply',
                        '-star-reply']) {
        tasks[`email-inbox${kind}`] = handle_email;
    }
})();
