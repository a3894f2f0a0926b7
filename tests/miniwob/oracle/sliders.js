// SPDX-License-Identifier: Apache-2.0
// Tasks with sliders, a spinner, a resizable field, a colour.
'use strict';
(() => {
    const {click, drag, fill, one, open_spot, parts, press, reach, tasks, text} = handeye;
    const kKeysMax = 40; // of one action

    /// The slider's handle is dragged to where the value should be; the arrow keys do what is finer than a pixel. The range is not
    /// written anywhere: two places of the handle and the values they stand for tell it.
    async function set_slider(slider, value_of, wanted, seen) {
        const value = value_of();
        if (value === wanted) {
            return undefined;
        }
        const handle = one('.ui-slider-handle', slider);
        const is_upright = slider.classList.contains('ui-slider-vertical');
        const percent = Number.parseFloat(is_upright ? handle.style.bottom : handle.style.left);
        seen.push({value, percent});
        const other = seen.find((place) => place.value !== value);
        const slope = other && (percent - other.percent) / (value - other.value);
        const target = other ? percent + (wanted - value) * slope : percent < 50 ? 75 : 25;
        const box = slider.getBoundingClientRect();
        const extent = is_upright ? box.height : box.width;
        if (seen.length <= 2 && (!other || Math.abs(target - percent) / 100 * extent > 2)) {
            const from = await reach(handle);
            const shift = (Math.min(Math.max(target, 0), 100) - percent) / 100 * extent;
            return drag(from, is_upright ? {x: from.x, y: from.y - shift} : {x: from.x + shift, y: from.y});
        }
        if (document.activeElement !== handle) {
            return click(handle);
        }
        const key = wanted > value ? 'Right' : 'Left';
        return press(Array(Math.min(Math.abs(wanted - value), kKeysMax)).fill(key).join('+'));
    }
    const shown = (selector) => () => Number(text(one(selector)));

    tasks['use-slider'] = async (goal, memory) => {
        const wanted = Number(parts(goal, /^Select (-?\d+) with the slider/)[0]);
        return (await set_slider(one('#slider'), shown('#val'), wanted, memory.seen ??= [])) ?? click(one('#subbtn'));
    };
    tasks['use-slider-2'] = async (goal, memory) => {
        const wanted = JSON.parse(parts(goal, /combination (\[.*\])/)[0]);
        memory.seen ??= [[], [], []];
        for (const [i, value] of wanted.entries()) {
            const action = await set_slider(one(`#slider-${i + 1}`), shown(`#val-${i + 1}`), value, memory.seen[i]);
            if (action) {
                return action;
            }
        }
        return click(one('#subbtn'));
    };
    tasks['form-sequence'] = async (goal, memory) => {
        const [wanted, nth] = parts(goal, /^Select (-?\d+) with the slider, click the (\d)\w+ checkbox/);
        const action = await set_slider(one('#slider'), shown('#val'), Number(wanted), memory.seen ??= []);
        const box = one(`#checkbox-${nth}`);
        return action ?? click(box.checked ? one('#subbtn') : box);
    };

    tasks['use-spinner'] = (goal) => {
        const wanted = Number(parts(goal, /^Select (-?\d+) with/)[0]);
        const value = Number(one('#spinner').value);
        return click(value === wanted ? one('#subbtn') : one(value < wanted ? '.ui-spinner-up' : '.ui-spinner-down'));
    };

    tasks['resize-textarea'] = async (goal, memory) => {
        if (memory.is_resized) {
            return click(one('#submit'));
        }
        memory.is_resized = true;
        const [side, way] = parts(goal, /the (width|height) is (smaller|larger)/);
        const from = await reach(one('.ui-resizable-se'));
        const by = way === 'larger' ? 15 : -15;
        return drag(from, side === 'width' ? {x: from.x + by, y: from.y} : {x: from.x, y: from.y + by});
    };

    // The colour's number is typed: the wheel's places are too few for an exact hit. While its window is open it covers the button.
    const kHex = (color) => '#' + color.match(/\d+/g).slice(0, 3).map((level) => Number(level).toString(16).padStart(2, '0')).join('');
    const type_color = (wanted) => async (goal) => {
        const hex = kHex(wanted(goal)).slice(1).toUpperCase();
        const field = one('#col');
        if (field.value.toUpperCase() !== hex) {
            return fill(field, hex);
        }
        return click(open_spot(one('#subbtn')) ? one('#subbtn') : one('#query'));
    };
    tasks['use-colorwheel'] = type_color((goal) => {
        const probe = document.createElement('i');
        document.documentElement.append(probe);
        probe.style.color = parts(goal, /^Select (\w+) with/)[0];
        const color = getComputedStyle(probe).color;
        probe.remove();
        return color;
    });
    tasks['use-colorwheel-2'] = type_color(() => getComputedStyle(one('#query .cc')).backgroundColor);
})();
