// SPDX-License-Identifier: Apache-2.0
// The only script of a report. It slides one picture over another, and in a long report, whose steps lie in the page as inert text,
// it puts those near the window in place. That text is what the report would show without a script: every character of the
// recording in it is escaped.
//
// Memory: a picture is decoded when it comes into sight, one at a time, into one of a few canvases that are used again and again,
// since what is thrown away a browser frees only when it gets round to it. Its text leaves the page for a Blob, which lies outside
// of the page's process. What is left of four steps is cleared up at once: a browser that is asked for 128 MB, which are never written to
// and so never become real, counts them as in use and looks what it can do without. Measured over 1,000 steps scrolled without a pause: docs/verification.md.
#include "agent/report_html.h"

namespace handeye::report {

std::string_view page_script() {
    return R"js(
"use strict";
(() => {
document.documentElement.classList.add("js");
const shown = new Map(); // slot to its pictures
const free = [];         // canvases that show nothing now
const blobs = new Map(); // by the picture's name
const waiting = new Set();
let is_decoding = false;
let gone = 0;            // steps that went out of sight
function blob(name) {
    const store = blobs.has(name) ? null : document.getElementById(name);
    if (store) {
        const letters = atob(store.textContent);
        const bytes = new Uint8Array(letters.length);
        for (let at = 0; at < bytes.length; ++at) { bytes[at] = letters.charCodeAt(at); }
        blobs.set(name, new Blob([bytes], {type: store.dataset.type}));
        store.remove();
    }
    return blobs.get(name);
}
function put(svg, picture) {
    const canvas = svg.canvas ?? free.pop() ?? document.createElement("canvas");
    if (canvas.width !== picture.width || canvas.height !== picture.height) {
        canvas.width = picture.width;
        canvas.height = picture.height;
    }
    canvas.getContext("2d", {alpha: false}).drawImage(picture, 0, 0);
    if (!svg.canvas) { svg.before(canvas); }
    svg.canvas = canvas;
}
async function decode() {
    if (is_decoding) { return; }
    is_decoding = true;
    for (const svg of waiting) { // those that went out of sight meanwhile have left it
        waiting.delete(svg);
        try {
            const width = Math.max(1, Math.round(svg.clientWidth * devicePixelRatio)); // as many pixels as are seen
            const picture = await createImageBitmap(blob(svg.dataset.frame), {resizeWidth: width, resizeQuality: "medium"});
            if (svg.isConnected) { put(svg, picture); }
            picture.close();
        } catch { svg.classList.add("broken"); }
    }
    is_decoding = false;
}
function want(svg) {
    waiting.add(svg);
    decode();
}
function drop(svg) {
    waiting.delete(svg);
    if (svg.canvas) { free.push(svg.canvas); }
    svg.canvas = null;
}
function show(slot) {
    if (shown.has(slot)) { return; }
    slot.innerHTML = document.getElementById("h-" + slot.id).textContent;
    slot.style.height = "";
    shown.set(slot, Array.from(slot.querySelectorAll("svg[data-frame]")));
    for (const folded of slot.querySelectorAll("details[data-from]")) {
        folded.addEventListener("toggle", () => folded.insertAdjacentHTML("beforeend", document.getElementById(folded.dataset.from).textContent), {once: true});
    }
    for (const svg of shown.get(slot)) {
        const folded = svg.closest("details");
        if (folded) {
            folded.addEventListener("toggle", () => { (folded.open ? want : drop)(svg); });
        } else {
            want(svg);
        }
        svg.parentElement.addEventListener("change", () => want(svg)); // enlarged, or small again
    }
}
function hide(slot) {
    if (!shown.has(slot) || slot.querySelector("details[open],input:checked")) { return; }
    slot.style.height = slot.offsetHeight + "px";
    shown.get(slot).forEach(drop);
    slot.replaceChildren();
    shown.delete(slot);
    if (++gone % 4 === 0) {
        try { new ArrayBuffer(128 << 20); } catch { } // there is none: then it has cleared up, too
    }
}
const slots = Array.from(document.querySelectorAll(".slot"));
const watch = new IntersectionObserver((entries) => {
    for (const entry of entries) { (entry.isIntersecting ? show : hide)(entry.target); }
}, {rootMargin: "500px 0px"});
slots.forEach((slot) => watch.observe(slot));
const nav = document.querySelector(".nav");
const groups = Array.from(document.querySelectorAll(".nav .group")); // of 40 lines each
function open(group) {
    if (group.firstChild) { return; }
    group.innerHTML = document.getElementById("h-" + group.id).textContent;
    group.style.height = "";
}
function close(group) {
    if (!group.firstChild) { return; }
    group.style.height = group.offsetHeight + "px";
    group.replaceChildren();
}
const sections = Array.from(document.querySelectorAll("main > section"));
const order = new Map(sections.map((section, at) => [section, at]));
const follow = new IntersectionObserver((entries) => { // the timeline goes along with the step in the upper part of the window
    for (const entry of entries) {
        const group = groups[Math.floor(order.get(entry.target) / 40)];
        if (group && entry.isIntersecting) { open(group); }
        const link = nav.querySelector('a[href="#' + entry.target.id + '"]');
        if (!link) { continue; }
        link.classList.toggle("current", entry.isIntersecting);
        if (entry.isIntersecting && !nav.matches(":hover")) { nav.scrollTop += link.getBoundingClientRect().top - nav.getBoundingClientRect().top - nav.clientHeight / 2; }
    }
}, {rootMargin: "-25% 0px -74% 0px"});
if (nav) {
    sections.forEach((section) => follow.observe(section));
    const scrolls = getComputedStyle(nav).overflowY === "auto" && getComputedStyle(nav).position === "sticky";
    const near = new IntersectionObserver((entries) => {
        for (const entry of entries) { (entry.isIntersecting ? open : close)(entry.target); }
    }, {root: scrolls ? nav : null, rootMargin: "300px 0px"});
    for (const group of groups) {
        group.style.height = group.dataset.lines * 2.6 + "rem";
        near.observe(group);
    }
}
document.addEventListener("input", (event) => { // the edge between before and after
    const slide = event.target.closest(".slide");
    if (slide) { slide.style.setProperty("--at", event.target.value / 10 + "%"); }
});
function go() { // its neighbours get their heights first, so that it stays where it is put
    const at = slots.indexOf(document.getElementById(location.hash.slice(1)));
    if (at >= 0) {
        slots.slice(Math.max(0, at - 2), at + 3).forEach(show);
        slots[at].scrollIntoView();
    }
}
addEventListener("hashchange", go);
go();
const stored = Array.from(document.querySelectorAll("script[data-type]"), (one) => one.id);
function clear(deadline) {
    while (stored.length > 0 && deadline.timeRemaining() > 2) { blob(stored.pop()); }
    if (stored.length > 0) { requestIdleCallback(clear); }
}
requestIdleCallback(clear);
})();
)js";
}

} // namespace handeye::report
