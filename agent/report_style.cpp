// SPDX-License-Identifier: Apache-2.0
// How the report looks. One sheet, no outside resource, both colour schemes.
#include "agent/report_html.h"

namespace handeye::report {

std::string_view style_sheet() {
    return R"css(
:root{color-scheme:light dark;--bg:#f6f7f9;--card:#fff;--ink:#1b1f24;--soft:#5b6570;--line:#dfe3e8;--code:#f1f3f6;--accent:#3757d6;
--ok:#12734a;--ok-bg:#dcf3e7;--warn:#8a5a00;--warn-bg:#fdf0d2;--bad:#b3261e;--bad-bg:#fce3e1;--plain:#48525d;--plain-bg:#e9ecf0;
--s-capture:#14a3c7;--s-render:#8c7ae6;--s-generate:#3757d6;--s-decide:#b07aa1;--s-execute:#e8833a;--s-settle:#c9ced6;--s-verify:#3aa876;--s-record:#7f8c9a}
@media (prefers-color-scheme:dark){:root{--bg:#14171b;--card:#1c2026;--ink:#e6e9ed;--soft:#9aa5b1;--line:#2e343c;--code:#15181d;--accent:#8ea6ff;
--ok:#7fdcae;--ok-bg:#15372a;--warn:#f2c667;--warn-bg:#3b2f12;--bad:#ff9d95;--bad-bg:#452220;--plain:#b5bfca;--plain-bg:#2a3038;
--s-generate:#7b93ff;--s-settle:#4a525c}}
*{box-sizing:border-box}
html{scroll-padding-top:1rem}
body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;overflow-wrap:anywhere}
h1,h2,h3,p,dl,dd,ol,figure,pre{margin:0;padding:0}
.wrap{max-width:1320px;margin:0 auto;padding:0 1.5rem}
.head{background:var(--card);border-bottom:1px solid var(--line);padding:1.6rem 0 1.4rem}
.brand{color:var(--soft);font-size:.8rem;letter-spacing:.04em;margin-bottom:.7rem}
.brand b{color:var(--accent)}
h1{font-size:1.55rem;line-height:1.3;font-weight:650;max-width:60ch;white-space:pre-wrap}
.verdict{display:flex;gap:.7rem;align-items:baseline;margin-top:.7rem;color:var(--soft)}
.verdict p{max-width:80ch}
.answer{margin-top:.8rem;padding:.7rem .9rem;border-left:3px solid var(--accent);background:var(--code);border-radius:0 6px 6px 0;white-space:pre-wrap}
.facts{display:flex;flex-wrap:wrap;gap:.6rem 2.2rem;margin-top:1.2rem}
.facts dt{font-size:.72rem;color:var(--soft);text-transform:uppercase;letter-spacing:.05em}
.facts dd{font-size:1rem;font-variant-numeric:tabular-nums}
.badge{display:inline-block;padding:.08rem .55rem;border-radius:99px;font-size:.78rem;font-weight:600;white-space:nowrap}
.badge.ok{color:var(--ok);background:var(--ok-bg)}.badge.warn{color:var(--warn);background:var(--warn-bg)}
.badge.bad{color:var(--bad);background:var(--bad-bg)}.badge.plain{color:var(--plain);background:var(--plain-bg)}
.note.lines{white-space:pre-line}.place{color:var(--soft);font-size:.8rem}.verdict p{white-space:pre-line}
.note{margin-top:.8rem;padding:.55rem .8rem;border-radius:8px;font-size:.9rem}
.note.warn{background:var(--warn-bg);color:var(--warn)}.note.bad{background:var(--bad-bg);color:var(--bad)}.note.plain{background:var(--plain-bg);color:var(--plain)}
.grid{display:grid;grid-template-columns:320px minmax(0,1fr);gap:1.5rem;margin-top:1.5rem;margin-bottom:3rem;align-items:start}
.nav{position:sticky;top:1rem;max-height:calc(100vh - 2rem);overflow:auto;background:var(--card);border:1px solid var(--line);border-radius:12px;padding:1rem}
.nav h2{font-size:.95rem}
.legend{display:flex;flex-wrap:wrap;gap:.15rem .75rem;margin:.5rem 0 .7rem;font-size:.72rem;color:var(--soft)}
.legend i,.times i{display:inline-block;width:.62rem;height:.62rem;border-radius:2px;margin-right:.3rem}
.nav ol{list-style:none}
.nav a{display:grid;grid-template-columns:1.7rem minmax(0,1fr) auto;gap:.05rem .4rem;padding:.38rem .45rem;border-radius:8px;color:inherit;text-decoration:none;font-size:.87rem}
.nav a:hover,.nav a:focus-visible{background:var(--code)}
.nav a.current{background:var(--code);box-shadow:inset 3px 0 0 var(--accent)}
.nav .n{color:var(--soft);text-align:right;font-variant-numeric:tabular-nums}
.nav .what{overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.nav .t{color:var(--soft);font-size:.78rem;font-variant-numeric:tabular-nums}
.nav .bar{grid-column:2/4;height:6px;width:100%;border-radius:3px;background:var(--code)}
.dot{display:inline-block;width:.55rem;height:.55rem;border-radius:50%;margin-right:.4rem}
.dot.ok{background:var(--ok)}.dot.warn{background:var(--warn)}.dot.bad{background:var(--bad)}.dot.plain{background:var(--plain)}
.task{font-size:1.05rem;margin:0 0 .8rem}
.step{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:1.1rem 1.2rem 1.2rem;margin-bottom:1.2rem}
.slot{min-height:20rem}.slot:empty{min-height:46rem;contain:strict}
.nav .group:empty{contain:strict}.nav .more{padding:.4rem;color:var(--soft);font-size:.87rem}
section:target>.step{border-color:var(--accent);box-shadow:0 0 0 1px var(--accent)}
.step>header{display:flex;flex-wrap:wrap;align-items:baseline;gap:.25rem .7rem}
.step .no{color:var(--soft);font-variant-numeric:tabular-nums;font-weight:600}
.step h3{font-size:1.1rem;font-weight:620;flex:1 1 12rem}
.step .time{color:var(--soft);font-variant-numeric:tabular-nums}
.thought{margin-top:.5rem;max-width:85ch;white-space:pre-wrap;color:var(--soft)}
.pictures{display:flex;flex-wrap:wrap;gap:1rem;margin-top:.9rem;align-items:flex-start}
.pictures figure{flex:1 1 240px;min-width:0}
.pictures figure.before{flex-grow:1.75}
.pictures figure:has(input:checked){flex-basis:100%}
.pictures label{display:block;cursor:zoom-in}
.shot{position:relative;border:1px solid var(--line);border-radius:8px;overflow:hidden;background:var(--code)}
.shot canvas{position:absolute;inset:0;width:100%;height:100%}
.shot svg{position:relative;display:block;width:100%;height:auto;background-size:100% 100%}
.pictures input{position:absolute;opacity:0;pointer-events:none}
.pictures label:has(input:checked){cursor:zoom-out}
.pictures label:has(input:focus-visible){outline:2px solid var(--accent)}
.shot svg.broken{background:repeating-linear-gradient(45deg,transparent 0 12px,var(--line) 12px 13px)}
.same{margin-top:.5rem;font-size:.8rem;color:var(--soft)}.same a{color:var(--accent)}
figcaption{margin-top:.3rem;font-size:.78rem;color:var(--soft)}
.withheld{padding:2.2rem 1rem;text-align:center;color:var(--soft);border:1px dashed var(--line);border-radius:8px;font-size:.88rem}
.both{margin-top:1.5rem;margin-bottom:2rem}
.run-names{position:sticky;top:0;z-index:2;display:grid;grid-template-columns:1fr 1fr;gap:1.2rem;padding:.5rem 1.2rem;margin-bottom:.6rem;background:var(--bg);font-size:.78rem;color:var(--soft);text-transform:uppercase;letter-spacing:.05em}
.differences{list-style:none;display:flex;flex-wrap:wrap;gap:.4rem;margin:.8rem 0;padding:0}
.differences li{padding:.2rem .7rem;border-radius:8px;font-size:.87rem;background:var(--warn-bg);color:var(--warn)}
.step>.differences{margin-top:0}
.sides{display:grid;grid-template-columns:1fr 1fr;gap:1.2rem}
.side{min-width:0}.side header{display:flex;flex-wrap:wrap;align-items:baseline;gap:.25rem .7rem}
.same-step{padding:.45rem 1.2rem .5rem;margin-bottom:.5rem}.same-step>details{margin:0;padding:0;border:0}.same-step .sides{margin-top:.6rem}.same-step summary .time{float:right}
.both .slot{min-height:3rem}.both .slot:empty{min-height:20rem}
html:not(.js) .compare{display:none}
.slide{--at:50%;position:relative;margin-top:.6rem;max-width:900px;border-radius:8px;overflow:hidden}
.slide .over{position:absolute;inset:0;clip-path:inset(0 0 0 var(--at))}
.slide .edge{position:absolute;top:0;bottom:0;left:var(--at);width:2px;margin-left:-1px;background:#fff;box-shadow:0 0 0 1px #0006}
.slide .edge::after{content:"⟷";position:absolute;top:50%;left:50%;transform:translate(-50%,-50%);width:2.1rem;height:2.1rem;border-radius:50%;display:grid;place-items:center;background:#fff;color:#1b1f24;box-shadow:0 1px 5px #0007}
.slide .tag{position:absolute;bottom:.5rem;padding:.05rem .5rem;border-radius:99px;background:#000a;color:#fff;font-size:.72rem}
.slide .left{left:.5rem}.slide .right{right:.5rem}
.slide input{position:absolute;inset:0;width:100%;height:100%;margin:0;opacity:0;cursor:ew-resize}
.slide:has(input:focus-visible){outline:2px solid var(--accent)}
.chain{display:flex;flex-wrap:wrap;gap:.6rem 1.7rem;margin:.6rem 0}
.chain figure{position:relative;flex:0 1 8.6rem;min-width:6.5rem}
.chain figure+figure::before{content:"→";position:absolute;left:-1.35rem;top:1.6rem;color:var(--soft)}
.chain svg{display:block;width:100%;overflow:hidden;border-radius:4px}
.chain figcaption b{display:block;font-weight:600;color:var(--ink)}
.chain figcaption{font-variant-numeric:tabular-nums}
.frame{fill:var(--code);stroke:var(--line);stroke-width:2}.grid-line{stroke:var(--line);stroke-width:.7}.hair{stroke:#e5174f;stroke-width:.8;stroke-dasharray:3 3;fill:none}
.stages{display:block;width:100%;height:10px;border-radius:5px;margin-top:1rem;background:var(--code)}
.times{display:flex;flex-wrap:wrap;gap:.1rem 1rem;margin-top:.35rem;font-size:.78rem;color:var(--soft);font-variant-numeric:tabular-nums}
.s-capture{fill:var(--s-capture);background:var(--s-capture)}.s-render{fill:var(--s-render);background:var(--s-render)}.s-generate{fill:var(--s-generate);background:var(--s-generate)}.s-decide{fill:var(--s-decide);background:var(--s-decide)}
.s-execute{fill:var(--s-execute);background:var(--s-execute)}.s-settle{fill:var(--s-settle);background:var(--s-settle)}.s-verify{fill:var(--s-verify);background:var(--s-verify)}.s-record{fill:var(--s-record);background:var(--s-record)}
table{border-collapse:collapse;font-size:.85rem;font-variant-numeric:tabular-nums;margin-top:.9rem;max-width:100%}
caption{text-align:left;font-size:.72rem;color:var(--soft);text-transform:uppercase;letter-spacing:.05em;padding-bottom:.25rem}
th,td{text-align:left;padding:.25rem .9rem .25rem 0;border-top:1px solid var(--line);font-weight:400;vertical-align:top}
th{color:var(--soft)}
details{margin-top:.55rem;border-top:1px solid var(--line);padding-top:.5rem}
summary{cursor:pointer;font-size:.88rem;color:var(--soft)}
summary:hover{color:var(--ink)}
pre{margin-top:.5rem;padding:.8rem .9rem;background:var(--code);border-radius:8px;font:12.5px/1.5 ui-monospace,"SF Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace;white-space:pre-wrap;max-height:34rem;overflow:auto}
.empty{padding:3rem 1rem;text-align:center;color:var(--soft)}
.foot{color:var(--soft);font-size:.8rem;padding:0 0 2.5rem}
.halo{fill:none;stroke:#fff;stroke-opacity:.9}.mark{fill:none;stroke:#e5174f}.spot{fill:#e5174f}.box{fill:#e5174f;fill-opacity:.1;stroke:#e5174f}
.landed{fill:none;stroke:#0b8f5c}.change{fill:none;stroke:#ff8a00}
@media (max-width:900px){.grid{grid-template-columns:minmax(0,1fr)}.nav{position:static;max-height:none}.wrap{padding:0 1rem}.sides{grid-template-columns:minmax(0,1fr)}.run-names{display:none}}
@media print{:root{color-scheme:light;--bg:#fff;--card:#fff;--ink:#000;--soft:#444;--line:#ccc;--code:#f4f4f4}
body{font-size:11px}.grid{display:block}.nav{position:static;max-height:none;overflow:visible;margin-bottom:1rem;break-after:page}
.step{break-inside:avoid;border-color:#bbb}details:not([open]){display:none}pre{max-height:none}*{-webkit-print-color-adjust:exact;print-color-adjust:exact}}
)css";
}

} // namespace handeye::report
