#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Pictures of made-up web pages at every step of made-up tasks, from a real Chromium.

pages.py OUT_DIR SEED SHARDS [--size 1000] [--held] [--kinds A,B]

The kinds of pages are in pages/. Several are shown side by side in frames, so that one screenshot holds many. Writes OUT_DIR/SEED-SHARD.zrgb
(zlib of width * height * 3 bytes each, one after the other) and then OUT_DIR/SEED-SHARD.jsonl, a line for each picture: what is asked, what was
done, what is to be done next and where, and every word that is drawn, in pixels.
"""
import argparse
import base64
import io
import json
import os
import random
import subprocess
import tempfile
import time
import zlib

from PIL import Image

import lexicon

HERE = os.path.dirname(os.path.abspath(__file__))
WIDTH, HEIGHT, SCALE = 168, 210, 2              # of a page in CSS pixels; device pixels of one
COLUMNS, ROWS = 5, 4
LIBRARIES = ["/usr/share/javascript/jquery/jquery.min.js", "/usr/share/javascript/jquery-ui/jquery-ui.min.js"]
THEME = "/usr/share/javascript/jquery-ui/themes/base/jquery-ui.min.css"


class Browser:
    """A Chromium of its own, spoken to over the DevTools protocol through two pipes."""

    def __init__(self, width, height):
        to_browser, self.commands = os.pipe()
        self.answers, from_browser = os.pipe()
        self.folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)

        def wire():
            os.dup2(to_browser, 10), os.dup2(from_browser, 11)
            os.dup2(10, 3), os.dup2(11, 4)

        self.process = subprocess.Popen(
            ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars=false", "--remote-debugging-pipe", "--no-first-run",
             "--user-data-dir=" + self.folder.name, "--allow-file-access-from-files", "about:blank"],
            preexec_fn=wire, close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_browser), os.close(from_browser)
        self.number, self.left, self.session = 0, b"", None
        target = next(t for t in self.call("Target.getTargets")["targetInfos"] if t["type"] == "page")
        self.session = self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)["sessionId"]
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=SCALE, mobile=False)
        self.call("Page.enable")

    def call(self, method, **params):
        self.number += 1
        message = dict(id=self.number, method=method, params=params)
        if self.session:
            message["sessionId"] = self.session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.commands, data):]
        while True:
            while b"\0" not in self.left:
                more = os.read(self.answers, 1 << 20)
                if not more:
                    raise RuntimeError("the browser is gone")
                self.left += more
            line, self.left = self.left.split(b"\0", 1)
            answer = json.loads(line)
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError(answer["error"])
                return answer["result"]

    def evaluate(self, expression):
        told = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in told:
            raise RuntimeError(json.dumps(told["exceptionDetails"])[:2000])
        return told["result"].get("value")

    def picture(self):
        shot = self.call("Page.captureScreenshot", format="png", optimizeForSpeed=True)
        return Image.open(io.BytesIO(base64.b64decode(shot["data"]))).convert("RGB")

    def close(self):
        self.process.kill()
        self.process.wait()


def tile():
    """The document of one frame."""
    read = lambda path: open(path).read()
    scripts = [read(HERE + "/pages/" + name) for name in ("shell.js", "kinds_click.js", "kinds_form.js", "kinds_more.js")]
    return "".join(["<!DOCTYPE html><html><head><meta charset=utf-8><link rel=stylesheet href='file://%s'><style id=look></style>" % THEME]
                   + ["<script src='file://%s'></script>" % p for p in LIBRARIES]
                   + ["<script>const lexicon = parent.lexicon;\n"] + scripts + ["\n$.fx.off = true;</script></head><body></body></html>"])


class Gallery:
    """The frames, each at some page."""

    def __init__(self, held, kinds, seed):
        self.browser, self.random, self.kinds = Browser(WIDTH * COLUMNS, HEIGHT * ROWS), random.Random(seed), kinds
        self.folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        path = self.folder.name + "/host.html"
        with open(path, "w") as f:
            f.write("<!DOCTYPE html><html><head><meta charset=utf-8><style>body{margin:0;background:#555;line-height:0}iframe{border:0;width:%dpx;height:%dpx}</style></head>"
                    "<body></body></html>" % (WIDTH, HEIGHT))
        self.browser.call("Page.navigate", url="file://" + path)
        while self.browser.evaluate("document.readyState") != "complete":
            time.sleep(0.02)
        self.browser.evaluate("""window.lexicon = %s; window.markup = %s;
            window.tiles = Array.from({length: %d}, () => { const f = document.createElement('iframe'); f.srcdoc = markup; document.body.append(f); return f; });
            Promise.all(tiles.map((f) => new Promise((done) => f.addEventListener('load', done)))).then(() => 0)"""
                              % (json.dumps(lexicon.for_pages(held)), json.dumps(tile()), COLUMNS * ROWS))
        self.browser.evaluate("tiles.forEach((f) => f.contentWindow.eval('window.deal = deal; window.look = look; window.act = act;')); 0")

    def seeds(self):
        return [[self.random.getrandbits(31), self.random.choice(self.kinds) if self.kinds else None] for _ in range(COLUMNS * ROWS)]

    def round(self):
        """One state of every frame. -> [(picture, description)]; then all take a step."""
        self.browser.evaluate("""((seeds) => { tiles.forEach((f, i) => { const w = f.contentWindow; if (!f.going) { f.broken = null; try { w.deal(...seeds[i]); f.going = true; } catch (e) { f.broken = String(e.stack); } } });
            return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))).then(() => 0); })(%s)""" % json.dumps(self.seeds()))
        told = self.browser.evaluate("tiles.map((f) => { try { return f.going ? f.contentWindow.look() : {broken: f.broken}; } catch (e) { return {broken: String(e.stack)}; } })")
        picture = self.browser.picture()
        self.browser.evaluate("tiles.forEach((f) => { try { f.going = f.going && f.contentWindow.act(); } catch (e) { f.going = false; f.broken = String(e.stack); } }); 0")
        out = []
        for i, state in enumerate(told):
            if not state:
                continue
            if "broken" in state:
                print("a page broke:", state["broken"][:600], flush=True)
                continue
            x, y = i % COLUMNS * WIDTH * SCALE, i // COLUMNS * HEIGHT * SCALE
            scale(state)
            if state["ok"]:
                out.append((picture.crop((x, y, x + WIDTH * SCALE, y + HEIGHT * SCALE)).tobytes(), state))
        return out


def scale(state):
    """CSS pixels to those of the picture."""
    for key in ("box", "aim", "to", "named"):
        if state.get(key):
            state[key] = [round(v * SCALE, 1) for v in state[key]]
    state["words"] = [[w] + [int(v * SCALE) for v in box] for w, *box in state["words"]]
    state["clickable"] = [[what, label, [round(v * SCALE, 1) for v in box], [round(v * SCALE, 1) for v in aim]] for what, label, box, aim in state["clickable"]]
    state["size"] = [WIDTH * SCALE, HEIGHT * SCALE]


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("out")
    ap.add_argument("seed", type=int)
    ap.add_argument("shards", type=int)
    ap.add_argument("--size", type=int, default=1000, help="pictures in a shard")
    ap.add_argument("--held", action="store_true", help="words and fonts that are kept for evaluation")
    ap.add_argument("--kinds", help="only these kinds of pages")
    a = ap.parse_args()
    os.makedirs(a.out, exist_ok=True)
    gallery = Gallery(a.held, a.kinds.split(",") if a.kinds else None, a.seed)
    pending = []
    for shard in range(a.shards):
        base, at, lines, start = "%s/%d-%03d" % (a.out, a.seed, shard), 0, [], time.time()
        with open(base + ".zrgb", "wb") as f:
            while len(lines) < a.size:
                pending = pending or gallery.round()
                if not pending:
                    continue
                pixels, state = pending.pop(0)
                packed = zlib.compress(pixels, 1)
                state["at"] = [at, len(packed)]
                at += len(packed)
                f.write(packed)
                lines.append(json.dumps(state))
        with open(base + ".jsonl", "w") as f:
            f.write("\n".join(lines) + "\n")
        print(base, "%.1f pictures a second" % (a.size / (time.time() - start)), flush=True)
    gallery.browser.close()


if __name__ == "__main__":
    main()
