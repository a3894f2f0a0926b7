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
function draw(svg) {
    const store = document.getElementById(svg.dataset.frame);
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = 1;
    svg.before(canvas);
    const bytes = store ? Uint8Array.from(atob(store.textContent), (c) => c.charCodeAt(0)) : new Uint8Array();
    createImageBitmap(new Blob([bytes], {type: store?.dataset.type})).then((picture) => {
        if (canvas.isConnected) {
            canvas.width = picture.width;
            canvas.height = picture.height;
            canvas.getContext("2d", {alpha: false, willReadFrequently: true}).drawImage(picture, 0, 0);
        }
        picture.close();
    }, () => svg.classList.add("broken"));
    return canvas;
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
    shown.get(slot).forEach((canvas) => { canvas.width = canvas.height = 0; });
    slot.replaceChildren();
    shown.delete(slot);
}
const watch = new IntersectionObserver((entries) => {
    for (const entry of entries) { (entry.isIntersecting ? show : hide)(entry.target); }
}, {rootMargin: "1200px 0px"});
const nav = document.querySelector(".nav");
const follow = new IntersectionObserver((entries) => { // the timeline goes along with the step in the upper part of the window
    for (const entry of entries) {
        const link = nav.querySelector('a[href="#' + entry.target.id + '"]');
        link.classList.toggle("current", entry.isIntersecting);
        if (entry.isIntersecting && !nav.matches(":hover")) { nav.scrollTop = link.offsetTop - nav.clientHeight / 2; }
    }
}, {rootMargin: "-25% 0px -74% 0px"});
document.querySelectorAll(".slot").forEach((slot) => { watch.observe(slot); follow.observe(slot); });
})();
)js";
}

} // namespace handeye::report
