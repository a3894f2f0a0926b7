// SPDX-License-Identifier: Apache-2.0
// Tasks with a calendar that the page draws, and the booking of a flight, which has one among its fields.
'use strict';
(() => {
    const {all, at_rest, click, fill, is_shown, named, one, parts, tasks, text, until} = handeye;
    const kMonths = ['January', 'February', 'March', 'April', 'May', 'June', 'July', 'August', 'September', 'October', 'November',
                     'December'];

    /// Opens the calendar of the field, turns its pages to the month, clicks the day; undefined once the field holds the date.
    async function pick_date(field, date) {
        if (field.value === date) {
            return undefined;
        }
        const calendar = one('#ui-datepicker-div');
        if (!is_shown(calendar)) {
            return click(field);
        }
        await at_rest(calendar);
        const [month, day, year] = date.split('/').map(Number);
        const shown = Number(text(one('.ui-datepicker-year', calendar))) * 12 +
                      kMonths.indexOf(text(one('.ui-datepicker-month', calendar)));
        const wanted = year * 12 + month - 1;
        if (shown !== wanted) {
            return click(one(shown > wanted ? '.ui-datepicker-prev' : '.ui-datepicker-next', calendar));
        }
        return click(named('td a', String(day), calendar));
    }

    const choose_date = async (goal) => (await pick_date(one('#datepicker'), parts(goal, /^Select ([\d/]+) as/)[0])) ??
                                        click(one('#subbtn'));
    for (const kind of ['', '-easy', '-medium', '-nodelay']) {
        tasks[`choose-date${kind}`] = choose_date;
    }

    /// Types the place and takes the first proposal that holds it.
    async function fill_airport(field, place) {
        if (field.value.includes(place) && /\(\w+\)$/.test(field.value)) {
            return undefined;
        }
        if (field.value !== place) {
            return fill(field, place);
        }
        const proposals = () => all('.ui-autocomplete .ui-menu-item').filter((item) => is_shown(item) && text(item).includes(place));
        await until(() => proposals().length > 0);
        return click(proposals()[0]);
    }
    const book_flight = async (goal) => {
        const [wish, from, to, date] = parts(goal, /^Book the (cheapest|shortest) one-way flight from: (.*) to: (.*) on ([\d/]+)\.$/);
        const flights = all('#results .flight');
        if (flights.length > 0) {
            const cost = (flight) => Number(wish === 'cheapest' ? one('.flight-price', flight).dataset.price
                                                                : one('.time-duration', flight).dataset.duration);
            return click(one('.flight-price', flights.sort((a, b) => cost(a) - cost(b))[0]));
        }
        return (await fill_airport(one('#flight-from'), from)) ?? (await fill_airport(one('#flight-to'), to)) ??
               (await pick_date(one('#datepicker'), date)) ?? click(one('#search'));
    };
    tasks['book-flight'] = book_flight;
    tasks['book-flight-nodelay'] = book_flight;
})();
