# SPDX-License-Identifier: Apache-2.0
"""`handeye eval miniwob` with the bundled model in a real browser: a few episodes, interrupted and gone on with, and pages that lie.

Arguments: the folder of the programs, the source tree. Ends with 77 where the pages or the browser are not here.
"""
import json
import pathlib
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import unittest

BIN = pathlib.Path()
SOURCE = pathlib.Path()
TASKS = "click-test,enter-text,click-checkboxes"
EPISODES = 3
PATIENCE_S = 300  # only a hang reaches it

LINE = {"task": str, "seed": int, "outcome": str, "raw_reward": (int, float), "steps": int, "model_calls": int, "tokens": int, "seconds": float, "reason": str, "goal": str, "profile_ms": dict}
TALLY = {"episodes": int, "successes": int, "rate": (int, float), "interval_95": list, "positive": int, "mean_reward": (int, float), "mean_steps": (int, float), "mean_model_calls": (int, float),
         "model_calls": int, "seconds": (int, float), "outcomes": dict}

HOSTILE_CORE = """
var core = {cover_div: {}, getUtterance: () => GOAL, startEpisodeReal: () => {}};
var WOB_TASK_READY = true, WOB_DONE_GLOBAL = false, WOB_RAW_REWARD_GLOBAL = 0, WOB_REWARD_REASON = null;
Math.seedrandom = () => {};
"""
# The begin of an episode finds the page running; what is set at its start counts from then on.
HOSTILE_PAGES = {
    "click-test": "GOAL = 'x'.repeat(1e7)",
    "click-button": "GOAL = 'Click <b onmouseover=x>.'; core.startEpisodeReal = () => setTimeout(() => { WOB_DONE_GLOBAL = true; WOB_RAW_REWARD_GLOBAL = NaN })",
    "click-link": "GOAL = {utterance: 'Click.'}; core.startEpisodeReal = () => setTimeout(() => { WOB_DONE_GLOBAL = true; WOB_RAW_REWARD_GLOBAL = 1e9 })",
    "click-color": "GOAL = {utterance: 'Click.'}; core.startEpisodeReal = () => setTimeout(() => { WOB_DONE_GLOBAL = true; WOB_RAW_REWARD_GLOBAL = 1 })",
}


def check_fields(test, value, fields, where):
    for name, kind in fields.items():
        test.assertIsInstance(value.get(name), kind, f"{name} of {where}")


def lines(out):
    path = out / "episodes.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def first_frames(out):
    """The first picture of each recording, by its hash."""
    frames = {}
    for path in sorted((out / "recordings").glob("*.handeye")):
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
            data = db.execute("SELECT data FROM events WHERE type = 'observation.captured' ORDER BY seq LIMIT 1").fetchone()
            frames[path.name] = json.loads(data[0])["frame"]["sha256"]
    return frames


class EvalMiniWob(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="handeye-eval-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.pages = SOURCE / "build" / "miniwob" / "html"

    def command(self, out, *more):
        return [BIN / "handeye", "eval", "miniwob", "--out", out, "--pages", self.pages, "--threads", "1", *more]

    def run_eval(self, out, *more, code=0):
        done = subprocess.run(self.command(out, *more), capture_output=True, text=True, timeout=PATIENCE_S)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done

    def break_off(self, out, at, how):
        """Starts a run and ends it once there are `at` episodes."""
        with subprocess.Popen(self.command(out, "--tasks", TASKS, "--episodes", str(EPISODES), "--jobs", "1", "--keep-failures", "100"), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True) as process:
            end = time.monotonic() + PATIENCE_S
            while len(lines_or_less(out)) < at and process.poll() is None and time.monotonic() < end:
                time.sleep(0.02)
            process.send_signal(how)
            _, errors = process.communicate(timeout=PATIENCE_S)
            return process.returncode, errors

    def test_what_was_interrupted_goes_on_to_the_same_total(self):
        out = self.folder / "broken-off"
        code, errors = self.break_off(out, 2, signal.SIGINT)
        self.assertEqual(code, 3, errors)
        self.assertIn("goes on", errors)
        self.assertGreaterEqual(len(lines(out)), 2)
        code, _ = self.break_off(out, 5, signal.SIGKILL)
        self.assertEqual(code, -signal.SIGKILL)
        before = lines_or_less(out)
        self.assertGreaterEqual(len(before), 5)
        self.assertLess(len(before), 3 * EPISODES)
        done = self.run_eval(out, "--tasks", TASKS, "--episodes", str(EPISODES), "--jobs", "2", "--keep-failures", "100", "--json")
        summary = json.loads(done.stdout)

        whole = self.folder / "whole"
        self.run_eval(whole, "--tasks", TASKS, "--episodes", str(EPISODES), "--jobs", "1", "--keep-failures", "100")
        episodes = {(line["task"], line["seed"]): line for line in lines(out)}
        self.assertEqual(len(lines(out)), 3 * EPISODES)
        self.assertEqual(lines(out)[:len(before)], before)
        self.assertEqual(set(episodes), {(task, seed + 1) for task in TASKS.split(",") for seed in range(EPISODES)})
        self.assertEqual({key: line["goal"] for key, line in episodes.items()}, {(line["task"], line["seed"]): line["goal"] for line in lines(whole)})
        mine, others = first_frames(out), first_frames(whole)
        differing = [name for name in set(mine) & set(others) if mine[name] != others[name]]
        self.assertLessEqual(len(differing), 2, differing) # once in a hundred times Chromium smooths a word's edges otherwise

        self.assertEqual(summary["all"]["episodes"], 3 * EPISODES)
        self.assertEqual(summary["all"]["successes"], sum(line["outcome"] == "solved" for line in episodes.values()))
        self.check_outputs(out, summary)
        self.check_refusals(out)

    def check_outputs(self, out, summary):
        for line in lines(out):
            check_fields(self, line, LINE, line)
            self.assertEqual(line["outcome"] == "solved", line["raw_reward"] == 1)
        for tally in [summary["all"], *summary["groups"], *summary["tasks"]]:
            check_fields(self, tally, TALLY, tally)
            low, high = tally["interval_95"]
            self.assertTrue(0 <= low <= tally["rate"] <= high <= 1)
            self.assertEqual(sum(tally["outcomes"].values()), tally["episodes"])
        self.assertEqual([row["name"] for row in summary["tasks"]], ["click-test", "enter-text", "click-checkboxes"])
        self.assertEqual([row["name"] for row in summary["groups"]], ["one-click", "typing", "selection"])
        self.assertEqual(json.loads((out / "summary.json").read_text()), summary)
        self.assertIn("| click-test (one-click) | 3 |", (out / "summary.md").read_text())
        page = (out / "failures.html").read_text()
        failed = [line for line in lines(out) if line["outcome"] != "solved"]
        self.assertEqual(page.count('class="row"'), len(failed))
        self.assertEqual(len(list((out / "recordings").glob("*.handeye"))), len(failed))
        for path in (out / "recordings").glob("*.handeye"):
            subprocess.run([BIN / "handeye", "verify", path], check=True, capture_output=True, timeout=PATIENCE_S)

    def check_refusals(self, out):
        before = lines(out)
        refused = self.run_eval(out, "--tasks", TASKS, "--episodes", "4", "--max-steps", "5", code=2)
        self.assertIn("max_steps was 15 and is 5 now", refused.stderr)
        other = self.folder / "other-model"
        shutil.copytree(SOURCE / "models" / "nano", other, ignore=shutil.ignore_patterns("train", "eval"))
        config = other / "generation_config.json"
        config.write_text(config.read_text() + "\n")
        refused = self.run_eval(out, "--tasks", TASKS, "--episodes", "4", "--model", other, "--no-checksums", code=2)
        self.assertRegex(refused.stderr, 'model was [0-9a-f]{64} and is [0-9a-f]{64} now')
        self.assertEqual(lines(out), before)

    def write_pages(self, pages):
        self.pages = self.folder / "pages"
        for name in ("core", "miniwob"):
            (self.pages / name).mkdir(parents=True)
        (self.pages / "core" / "core.js").write_text(HOSTILE_CORE)
        for task, script in pages.items():
            (self.pages / "miniwob" / f"{task}.html").write_text(f"<!doctype html><head><script src=../core/core.js></script><script>var GOAL; {script}</script></head><body>Click.")

    def test_what_cannot_be_played_is_no_result(self):
        self.write_pages({"click-test": "core.startEpisodeReal = () => { WOB_TASK_READY = false }", "click-color": HOSTILE_PAGES["click-color"]})
        out = self.folder / "out"
        for _ in range(2): # the second run tries it again, and says so again
            done = self.run_eval(out, "--tasks", "click-test,click-color", "--episodes", "1", "--jobs", "1", code=5)
            self.assertIn("1 episodes could not be played (click-test 1)", done.stderr)
            self.assertIn("changed pages", done.stdout)
            self.assertEqual([line["task"] for line in lines(out)], ["click-color"])

    def test_a_window_that_an_episode_opened_is_not_the_next_ones(self):
        script = "GOAL = {utterance: 'Click.'}; onload = () => addEventListener('mousemove', () => window.open('about:blank'))"
        self.write_pages({"click-test": script, "click-color": script})
        out = self.folder / "out"
        begin = time.monotonic()
        self.run_eval(out, "--tasks", "click-test,click-color", "--episodes", "2", "--jobs", "1", "--max-steps", "2")
        self.assertEqual(len(lines(out)), 4)
        self.assertLess(time.monotonic() - begin, 100, "60 s were waited for a page that another window covered, again and again")

    def test_pages_that_lie_are_told_as_broken(self):
        self.write_pages(HOSTILE_PAGES)
        out = self.folder / "out"
        done = self.run_eval(out, "--tasks", ",".join(HOSTILE_PAGES), "--episodes", "1", "--jobs", "1", code=2)
        self.assertIn("could not be played (click-test 1)", done.stderr)
        self.assertIn("4096 bytes", done.stderr)
        told = {line["task"]: line for line in lines(out)}
        self.assertEqual({task: line["outcome"] for task, line in told.items()}, {"click-button": "broken", "click-link": "broken", "click-color": "solved"})
        self.assertIn('"NaN"', told["click-button"]["reason"])
        self.assertIn('"1000000000"', told["click-link"]["reason"])
        page = (out / "failures.html").read_text()
        self.assertIn("&lt;b onmouseover=x&gt;", page)
        self.assertNotIn("<b onmouseover", page)

    def test_tasks_are_listed_by_group(self):
        done = subprocess.run([BIN / "handeye", "eval", "miniwob", "--list-tasks", "--json"], capture_output=True, text=True, timeout=PATIENCE_S, check=True)
        tasks = json.loads(done.stdout)
        self.assertEqual(len({task["name"] for task in tasks}), 125)
        self.assertEqual({task["group"] for task in tasks}, {"one-click", "typing", "selection", "scrolling-and-dragging", "multi-step"})

    def test_misuse_is_told_before_anything_is_loaded(self):
        for wrong, words in {("--tasks", "click-tset"): "click-test", ("--viewport", "100x100"): "160x210", ("--pages", str(self.folder / "none")): "--fetch"}.items():
            done = subprocess.run([BIN / "handeye", "eval", "miniwob", "--out", self.folder / "none-yet", *wrong], capture_output=True, text=True, timeout=PATIENCE_S)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn(words, done.stderr)
            self.assertFalse((self.folder / "none-yet").exists())


def lines_or_less(out):
    """Lines that are whole: a run may be writing one."""
    try:
        return lines(out)
    except json.JSONDecodeError:
        return []


if __name__ == "__main__":
    BIN, SOURCE = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    fetched = subprocess.run([SOURCE / "tools" / "miniwob.sh"], capture_output=True, text=True)
    if fetched.returncode != 0 or shutil.which("chromium") is None:
        print("the pages of MiniWoB++ or Chromium are not here:", fetched.stderr.strip())
        sys.exit(77)
    unittest.main(argv=[sys.argv[0], "-v", *sys.argv[3:]])
