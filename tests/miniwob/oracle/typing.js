// SPDX-License-Identifier: Apache-2.0
// Tasks in which text is read somewhere and typed somewhere else.
'use strict';
(() => {
    const {all, click, fill, is_shown, one, parts, press, tasks, text, until} = handeye;

    /// Fills the fields in order, then clicks the button.
    async function fill_then(pairs, button) {
        for (const [field, value] of pairs) {
            const action = await fill(field, value);
            if (action) {
                return action;
            }
        }
        return click(button);
    }
    const answer = (field, read) => (goal) => fill_then([[one(field), read(goal)]], one('#subbtn'));
    const quoted = (pattern) => (goal) => parts(goal, pattern)[0];

    tasks['enter-text'] = answer('#tt', quoted(/^Enter "(.*)" into/));
    tasks['enter-text-dynamic'] = tasks['enter-text'];
    tasks['enter-text-2'] = answer('#tt', (goal) => {
        const [name, letters] = parts(goal, /^Type "(.*)" in all (upper|lower) case/);
        return letters === 'upper' ? name.toUpperCase() : name.toLowerCase();
    });
    tasks['enter-password'] = (goal) => {
        const [password] = parts(goal, /password "(.*)" into/);
        return fill_then([[one('#password'), password], [one('#verify'), password]], one('#subbtn'));
    };
    const log_in = (goal) => {
        if (document.querySelector('#popup')) {
            return click(one('#popup-cancel'));
        }
        const [user, password] = parts(goal, /username "(.*)" and the password "(.*)" into/);
        return fill_then([[one('#username'), user], [one('#password'), password]], one('#subbtn'));
    };
    tasks['login-user'] = log_in;
    tasks['login-user-popup'] = log_in;

    tasks['find-word'] = answer('#answer-input', (goal) => {
        const words = text(one('#area p')).split(' ');
        return words[Number(parts(goal, /the (\d+)/)[0]) - 1].replace(/[^a-zA-Z]+/g, '');
    });
    const cell_of = (key) => one('td + td', all('#tab tr').find((row) => text(one('td', row)) === key)).textContent;
    tasks['read-table'] = answer('#tt', (goal) => cell_of(parts(goal, /value of (.*) into/)[0]));
    tasks['read-table-2'] = () => fill_then(['1', '2'].map((n) => [one(`#tt${n}`), cell_of(text(one(`#ll${n}`)).replace(':', ''))]),
                                            one('#subbtn'));
    tasks['simple-arithmetic'] = answer('#math-answer', () => {
        const [a, sign, b] = parts(text(one('#math-problem')), /^(\d+) (.) (\d+) =$/);
        return String(sign === '+' ? Number(a) + Number(b) : sign === '-' ? a - b : a * b);
    });
    tasks['simple-algebra'] = answer('#math-answer', () => {
        const [left, sign, right, sum] = parts(text(one('#math-problem')), /^(x|\d+) (.) (x|\d+) = (\d+)$/);
        const known = Number(left === 'x' ? right : left);
        return String(sign === '+' ? sum - known : left === 'x' ? Number(sum) + known : known - sum);
    });
    tasks['visual-addition'] = answer('#math-answer', () => String(all('.addition-block').length));
    tasks['text-transform'] = answer('#tt', () => text(one('#captcha')));

    tasks['guess-number'] = (goal, memory) => {
        memory.low ??= 0;
        memory.high ??= 9;
        if (is_shown(one('#lower'))) {
            memory.high = Math.min(memory.high, Number(text(one('#lower span'))) - 1);
        } else if (is_shown(one('#higher'))) {
            memory.low = Math.max(memory.low, Number(text(one('#higher span'))) + 1);
        }
        return fill_then([[one('#tt'), String(Math.floor((memory.low + memory.high) / 2))]], one('#subbtn'));
    };

    // Forms whose fields are named beside, above or below them.
    const search_movie = (goal) => {
        const [genre, director, year] = parts(goal, /^Search for (.*) movies directed by (.*) from year (\d+)\.$/);
        const row_of = (field) => field.closest('tr, .row, .field, .ui-entry, p');
        const field_of = (name) => all('#area input').find((field) => name.test(text(row_of(field))));
        return fill_then([[field_of(/Genre/), genre], [field_of(/Director/), director], [field_of(/Year|Date/), year]],
                         one('#area button, #area .final, #area .ui-submit'));
    };
    tasks['multi-layouts'] = search_movie;
    tasks['multi-orderings'] = search_movie;
    tasks['form-sequence-2'] = (goal) => {
        const [nth, number, place] = parts(goal, /the (\d)\w+ radio button and enter the number "(-?\d+)" into the (\d)/);
        const radio = one(`#area input[type=radio][value="${nth}"]`);
        return radio.checked ? fill_then([[one(`#input-${place}`), number]], one('#subbtn')) : click(radio);
    };

    // The list of countries comes up under the field while one types.
    const complete = async (goal, memory) => {
        const [start, , end] = parts(goal, /starts with "(.*?)"( and ends with "(.*)")?\.$/);
        const field = one('#tags');
        if (field.value.startsWith(start) && (!end || field.value.endsWith(end)) && (memory.is_chosen || !end)) {
            return click(one('#subbtn'));
        }
        if (!field.value.startsWith(start)) {
            return fill(field, start);
        }
        const entries = () => all('.ui-autocomplete .ui-menu-item').filter(is_shown);
        await until(() => entries().length > 0);
        memory.is_chosen = true;
        return click(entries().find((entry) => text(entry).startsWith(start) && text(entry).endsWith(end)));
    };
    tasks['use-autocomplete'] = complete;
    tasks['use-autocomplete-nodelay'] = complete;

    // The whole text through the clipboard.
    const copy = (source) => async (goal, memory) => {
        const target = one('#answer-input');
        const from = one(source(goal));
        const script = [() => click(from), () => press('ctrl+a'), () => press('ctrl+c'), () => click(target), () => press('ctrl+v'),
                        () => click(one('#subbtn'))];
        memory.step = (memory.step ?? 0) + 1;
        if (memory.step === script.length && target.value !== from.value) {
            throw new Error(`the field holds '${target.value}' after the paste, not '${from.value}'`);
        }
        return script[memory.step - 1]();
    };
    tasks['copy-paste'] = copy(() => '#to-copy');
    tasks['copy-paste-2'] = copy((goal) => `#text-${parts(goal, /the (\d)/)[0]}`);

    tasks.terminal = async (goal, memory) => {
        if (!memory.is_open) {
            memory.is_open = true;
            return click(one('#terminal'));
        }
        const listing = all('#terminal .output').map(text).find((line, i, lines) => i > 1 && line !== '');
        if (!listing) {
            return {verb: 'type', text: 'ls\n'};
        }
        const extension = /extension (\.\S+)$/.exec(goal)?.[1];
        const file = listing.split(' ').find((name) => (extension ? name.endsWith(extension) : !name.includes('.')));
        return {verb: 'type', text: `rm ${file}\n`};
    };

    // The native fields take digits one part after the other, in the order in which en-US shows them.
    tasks['enter-date'] = (goal) => {
        const [month, day, year] = parts(goal, /^Enter (\d+)\/(\d+)\/(\d+) as the date/);
        return native(one('#tt'), `${year}-${month}-${day}`, `${month}${day}${year}`);
    };
    tasks['enter-time'] = (goal) => {
        const [hour, minute, half] = parts(goal, /^Enter (\d+):(\d+) ([AP]M) as the time/);
        const hours = (Number(hour) % 12) + (half === 'PM' ? 12 : 0);
        return native(one('#tt'), `${String(hours).padStart(2, '0')}:${minute}`, `${hour.padStart(2, '0')}${minute}${half}`);
    };
    async function native(field, value, keys) {
        if (field.value === value) {
            return click(one('#subbtn'));
        }
        const box = field.getBoundingClientRect();
        return {verb: 'type', x: box.left + 6, y: box.top + box.height / 2, text: keys};
    }
})();
