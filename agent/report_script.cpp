// SPDX-License-Identifier: Apache-2.0
// The only script of a report, and only of a long one: steps lie in the page as inert text, and those near the window are put in place.
// That text is what the report would show without a script: every character of the recording in it is escaped.
#include "agent/report_html.h"

namespace handeye::report {

std::string_view page_script() {
    return R"js(
"use strict";
(() => {
const text = (id) => document.getElementById(id).textContent;
const shown = new Map(); // slot to its canvases: their pixels go when they do, which those of a background do not
function paint(canvas, svg) {
    const store = document.getElementById(svg.dataset.frame);
    const bytes = store ? Uint8Array.from(atob(store.textContent), (c) => c.charCodeAt(0)) : new Uint8Array();
    const width = Math.max(1, Math.round(svg.clientWidth * devicePixelRatio)); // as many pixels as are seen
    createImageBitmap(new Blob([bytes], {type: store?.dataset.type}), {resizeWidth: width, resizeQuality: "high"}).then((picture) => {
        if (!canvas.isConnected) { picture.close(); return; }
        canvas.width = picture.width;
        canvas.height = picture.height;
        canvas.getContext("bitmaprenderer").transferFromImageBitmap(picture);
    }, () => svg.classList.add("broken"));
}
function draw(svg) {
    const canvas = document.createElement("canvas");
    svg.before(canvas);
    paint(canvas, svg);
    svg.parentElement.addEventListener("change", () => paint(canvas, svg)); // enlarged, or small again
    return canvas;
}
function drop(canvas) {
    canvas.getContext("bitmaprenderer").transferFromImageBitmap(null);
    canvas.width = canvas.height = 0;
}
function show(slot) {
    if (shown.has(slot)) { return; }
    slot.innerHTML = text("h-" + slot.id);
    slot.style.height = "";
    shown.set(slot, Array.from(slot.querySelectorAll("svg[data-frame]"), draw));
}
function hide(slot) {
    if (!shown.has(slot) || slot.querySelector("details[open],input:checked")) { return; }
    slot.style.height = slot.offsetHeight + "px";
    shown.get(slot).forEach(drop);
    slot.replaceChildren();
    shown.delete(slot);
}
const watch = new IntersectionObserver((entries) => {
    for (const entry of entries) { (entry.isIntersecting ? show : hide)(entry.target); }
}, {rootMargin: "900px 0px"});
const nav = document.querySelector(".nav");
const follow = new IntersectionObserver((entries) => { // the timeline goes along with the step in the upper part of the window
    for (const entry of entries) {
        const link = nav.querySelector('a[href="#' + entry.target.id + '"]');
        const line = link.parentElement;
        link.classList.toggle("current", entry.isIntersecting);
        if (entry.isIntersecting && !nav.matches(":hover")) { nav.scrollTop = line.offsetTop - nav.clientHeight / 2; }
    }
}, {rootMargin: "-25% 0px -74% 0px"});
const slots = Array.from(document.querySelectorAll(".slot"));
slots.forEach((slot) => { watch.observe(slot); follow.observe(slot); });
function go() { // its neighbours get their heights first, so that it stays where it is put
    const at = slots.indexOf(document.getElementById(location.hash.slice(1)));
    if (at >= 0) {
        slots.slice(Math.max(0, at - 2), at + 3).forEach(show);
        slots[at].scrollIntoView();
    }
}
addEventListener("hashchange", go);
go();
})();
)js";
}

} // namespace handeye::report
