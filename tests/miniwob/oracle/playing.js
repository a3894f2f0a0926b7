// SPDX-License-Identifier: Apache-2.0
// Tasks that have to be searched or played: a hidden hot place, a cube that keeps turning, tic-tac-toe.
'use strict';
(() => {
    const {all, click, drag, one, parts, sleep, tasks, text} = handeye;

    // Hot and cold: every sign leaves the places that agree with it; the pointer goes to the place that splits those best.
    const kBounds = {HOT: [0, 5], WARM: [5, 10], COLD: [10, 40], 'ICE COLD': [40, Infinity]};
    const kBlurPx = 1; // a captured pixel may stand for part of a CSS pixel
    const distance = (a, b) => Math.hypot(a.x - b.x, a.y - b.y);
    const sign_at = (place, spot) => Object.keys(kBounds).find((sign) => distance(place, spot) < kBounds[sign][1]);
    const agrees = (place, spot, sign) => distance(place, spot) > kBounds[sign][0] - kBlurPx &&
                                          distance(place, spot) < kBounds[sign][1] + kBlurPx;
    tasks['hot-cold'] = (goal, memory) => {
        const frame = one('#touch-area').getBoundingClientRect();
        if (!memory.places) {
            memory.places = [];
            memory.visited = new Set();
            for (let y = 55; y < 170; ++y) {
                for (let x = 5; x < 155; ++x) {
                    memory.places.push({x, y});
                }
            }
        } else {
            const sign = text(one('#signal'));
            if (sign === 'HOT') {
                return {verb: 'click', x: memory.spot.x + 0.5, y: memory.spot.y + 0.5};
            }
            memory.places = memory.places.filter((place) => agrees(place, memory.spot, sign));
        }
        const worst = (spot) => {
            const counts = {};
            for (const place of memory.places) {
                const sign = sign_at(place, spot);
                counts[sign] = (counts[sign] ?? 0) + 1;
            }
            return Math.max(...Object.values(counts));
        };
        let best = {left: Infinity};
        for (let y = Math.ceil(frame.top) + 3; y < frame.bottom - 3; y += 4) {
            for (let x = Math.ceil(frame.left) + 3; x < frame.right - 3; x += 4) {
                const left = worst({x, y});
                if (left < best.left && !memory.visited.has(`${x} ${y}`)) {
                    best = {x, y, left};
                }
            }
        }
        memory.spot = {x: best.x, y: best.y};
        memory.visited.add(`${best.x} ${best.y}`);
        return {verb: 'hover', x: best.x + 0.5, y: best.y + 0.5};
    };

    // The cube turns on when it is let go, how far depends on the speed of the hand: drag, wait until it rests, look, drag again.
    // A side faces the front when the turn about x is near `x` and, for the four around the middle, that about y near `y`.
    const kFaces = {1: {x: 264}, 2: {x: 0, y: 0}, 3: {x: 0, y: 270}, 4: {x: 0, y: 180}, 5: {x: 0, y: 90}, 6: {x: 88}};
    const kTurnPerPx = 1.2; // degrees that a drag of one pixel turns the cube, most of it after the drag
    const turn_of = () => {
        const [, x, y] = /rotateX\(([-\d.]+)deg\) rotateY\(([-\d.]+)deg\)/.exec(one('.cube').style.transform);
        return {x: Number(x), y: Number(y)};
    };
    async function at_rest() {
        for (let last = ''; last !== JSON.stringify(turn_of());) {
            last = JSON.stringify(turn_of());
            await sleep(150);
        }
        return turn_of();
    }
    const shortest = (degrees) => ((degrees % 360) + 540) % 360 - 180;
    tasks['drag-cube'] = async (goal) => {
        const wanted = parts(goal, /"(\d)" is the active side/)[0];
        const now = await at_rest();
        if (text(one('.cube-image.active')) === wanted) {
            return click(one('#subbtn'));
        }
        const face = kFaces[wanted];
        const is_upside_down = now.x > 90 && now.x < 270;
        const turn_x = shortest(face.x - now.x);
        const turn_y = face.y === undefined ? 0 : shortest(face.y - now.y);
        // First about x, to where the other axis is the plain one, then about y.
        const [dx, dy] = Math.abs(turn_x) > 30 ? [0, -turn_x] : [is_upside_down ? -turn_y : turn_y, 0];
        const limited = (degrees) => Math.max(-80, Math.min(80, degrees / kTurnPerPx));
        const from = {x: 80 - limited(dx) / 2, y: 115 - limited(dy) / 2};
        return drag(from, {x: from.x + limited(dx), y: from.y + limited(dy)});
    };

    // Tic-tac-toe against one who moves at random in 55 of 100 cases and otherwise wins or blocks where that is possible.
    const kLines = [[0, 1, 2], [3, 4, 5], [6, 7, 8], [0, 3, 6], [1, 4, 7], [2, 5, 8], [0, 4, 8], [2, 4, 6]];
    const kRandomShare = 0.55;
    const has_won = (board, mark) => kLines.some((line) => line.every((i) => board[i] === mark));
    const free = (board) => board.flatMap((mark, i) => (mark ? [] : [i]));
    const put = (board, i, mark) => board.map((old, k) => (k === i ? mark : old));
    const completing = (board, mark) => free(board).filter((i) => has_won(put(board, i, mark), mark));
    /// The chance to win when it is X's turn, and the move that has it.
    function best_move(board) {
        let best = {chance: -1};
        for (const i of free(board)) {
            const chance = chance_after(put(board, i, 'x'));
            best = chance > best.chance ? {chance, move: i} : best;
        }
        return best;
    }
    const seen = new Map();
    function chance_after(board) {
        if (has_won(board, 'x')) {
            return 1;
        }
        const spaces = free(board);
        if (spaces.length === 0) {
            return 0;
        }
        const key = board.join();
        if (!seen.has(key)) {
            const chance_of = (i) => {
                const after = put(board, i, 'o');
                return has_won(after, 'o') || free(after).length === 0 ? 0 : best_move(after).chance;
            };
            const mean = (moves) => moves.reduce((sum, i) => sum + chance_of(i), 0) / moves.length;
            const winning = completing(board, 'o');
            const blocking = completing(board, 'x');
            const clever = winning.length > 0 ? winning : blocking.length > 0 ? blocking : spaces;
            seen.set(key, kRandomShare * mean(spaces) + (1 - kRandomShare) * mean(clever));
        }
        return seen.get(key);
    }
    tasks['tic-tac-toe'] = () => {
        const cells = all('.ttt-row span');
        const board = cells.map((cell) => (cell.classList.contains('mark-x') ? 'x' : cell.classList.contains('mark-o') ? 'o' : ''));
        return click(cells[best_move(board).move]);
    };
})();
