# SPDX-License-Identifier: Apache-2.0
"""A report of many steps in a real browser: its size, its memory, and that each step is there when it comes into sight.

Arguments: the folder of the programs. 200 steps; 1,000 with HANDEYE_FULL=1. Times are printed, not judged. Pictures of the page go
to HANDEYE_PICTURES where that is set.
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "console"))
from chromium import Chromium  # noqa: E402

FULL = os.environ.get("HANDEYE_FULL") == "1"
STEPS = 1000 if FULL else 200
BYTES_MAX = 50_000_000
MEMORY_MIB_MAX = 300
BIN = pathlib.Path()

# Two frames later everything that was asked for has been drawn.
SETTLE = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))"


def renderer_mib(profile):
    """Memory of this browser's renderers in MiB, shared pages by share (PSS)."""
    total = 0
    for folder in pathlib.Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            line = (folder / "cmdline").read_text()
            if "--type=renderer" in line and os.path.basename(profile) in line:
                rows = (folder / "smaps_rollup").read_text().splitlines()
                total += next(int(row.split()[1]) for row in rows if row.startswith("Pss:")) / 1024
        except OSError:  # it has ended meanwhile
            continue
    return total


class LongReport(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="he"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        recording = cls.folder / "long.handeye"
        subprocess.run([BIN / "record_session", recording, str(STEPS)], check=True)
        subprocess.run([BIN / "handeye", "report", recording], check=True, stdout=subprocess.DEVNULL)
        cls.page = cls.folder / "long.html"

    def picture(self, browser, name):
        if os.environ.get("HANDEYE_PICTURES"):
            browser.picture(os.path.join(os.environ["HANDEYE_PICTURES"], name))

    def test_it_is_light_and_shows_every_step_that_is_gone_to(self):
        size = self.page.stat().st_size
        self.assertLess(size, BYTES_MAX)
        with Chromium(1440, 900) as browser:
            blank = renderer_mib(browser.profile)
            begin = time.monotonic()
            browser.send("Page.navigate", url=self.page.as_uri())
            browser.wait("document.readyState === 'complete' && document.querySelectorAll('.slot').length > 0", "the page")
            browser.evaluate(SETTLE)
            seconds = time.monotonic() - begin
            loaded = renderer_mib(browser.profile)
            self.picture(browser, "report-top.png")
            for step in (1, STEPS // 2, STEPS - 1, 2):
                browser.evaluate(f"location.hash = '#t1s{step}'; true")
                browser.wait(f"document.querySelector('#t1s{step} .step .no')?.textContent === '{step}'", f"step {step}")
                browser.wait(f"document.querySelector('#t1s{step} canvas')?.width > 300", f"the picture of step {step}")
                browser.wait(f"document.querySelector('.nav a.current')?.getAttribute('href') === '#t1s{step}'", f"step {step} in the timeline")
                self.picture(browser, f"report-{step}.png")
            shown = browser.evaluate("document.querySelectorAll('.slot > .step').length")
            self.assertLess(shown, 12, "steps out of sight are still laid out")
            at_once = renderer_mib(browser.profile)
            browser.send("HeapProfiler.collectGarbage")  # when a browser does that by itself is its own affair
            gone_to = renderer_mib(browser.profile)
            print(f"{STEPS} steps: {size / 1e6:.1f} MB, open in {seconds:.2f} s, {loaded:.0f} MiB then, {at_once:.0f} MiB after four steps far apart, {gone_to:.0f} MiB of it in use; an empty page {blank:.0f} MiB")
            self.assertLess(max(loaded, gone_to), MEMORY_MIB_MAX)
            self.assertEqual(browser.complaints, [])


if __name__ == "__main__":
    BIN = pathlib.Path(sys.argv.pop(1)).resolve()
    unittest.main(verbosity=2)
