# SPDX-License-Identifier: Apache-2.0
"""`handeye eval jsonl` with the bundled model: right and wrong answers, going on after a stop, what is refused by name, hostile files.

Arguments: the folder of the programs.
"""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
NANO = ROOT / "models" / "nano"
GOLDEN = NANO / "eval" / "golden"
MEDIA = ROOT / "tests" / "golden" / "media"
WAIT_S = 250
BINARIES = pathlib.Path()


def golden_items():
    """What the bundled model answers, by its goldens: the whole answer is the reference."""
    out = []
    for folder in sorted(GOLDEN.iterdir()):
        answer = (folder / "answer.txt").read_text().split("</think>")[1].split("<|user|>")[0]
        box = answer.split("<|begin_of_box|>")[1].split("<|end_of_box|>")[0]
        out.append({"id": folder.name, "prompt": (folder / "prompt.txt").read_text() + "<image>", "images": [f"{folder.name}.png"], "reference": box})
    return out


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="handeye-eval-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "XDG_CONFIG_HOME": str(self.folder / "config"), "XDG_DATA_HOME": str(self.folder / "data"),
                            "XDG_CACHE_HOME": str(self.folder / "cache"), "TMPDIR": str(self.folder), "LANG": "C.UTF-8"}
        self.data = self.folder / "data"
        self.data.mkdir()
        for golden in GOLDEN.iterdir():
            shutil.copy(golden / "frame.png", self.data / f"{golden.name}.png")

    def put(self, items, name="items.jsonl"):
        lines = [item if isinstance(item, str) else json.dumps(item) for item in items]
        (self.data / name).write_text("".join(line + "\n" for line in lines))
        return self.data / name

    def command(self, *words):
        words = [*map(str, words)]
        more = [] if "--model" in words else ["--model", str(NANO)]
        return [str(BINARIES / "handeye"), "eval", "jsonl", *words, *more, "--threads", "1", "--max-new-tokens", "64"]

    def run_it(self, *words, code=0, out="out"):
        done = subprocess.run([*self.command(*words, "--out", self.folder / out), "--json"], env=self.environment, capture_output=True, text=True, timeout=WAIT_S)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return json.loads(done.stdout)

    def refused(self, *words, code=2, out="out"):
        return self.run_it(*words, code=code, out=out)["error"]["message"]

    def lines(self, name, out="out"):
        return [json.loads(line) for line in (self.folder / out / name).read_text().splitlines()]


class Scores(Case):
    def test_right_and_wrong_by_the_golden_answers(self):
        items = golden_items()
        items[1]["reference"] = "DONE()"
        items[3]["reference"] = ["left_click(start_box='[1,1]')", items[3]["reference"]]
        got = self.run_it(self.put(items))
        self.assertEqual((got["chosen"], got["answered"], got["scored"], got["right"]), (6, 6, 6, 5))
        self.assertAlmostEqual(got["rate"], 5 / 6)
        self.assertAlmostEqual(got["interval_95"][0], 0.4365, places=3)
        self.assertEqual([(f["line"], f["id"]) for f in got["failures"]], [(2, items[1]["id"])])
        self.assertEqual(got["tokens"]["image"], 6 * 12 * 8)
        self.assertEqual([row["right"] for row in self.lines("results.jsonl")], [True, False, True, True, True, True])
        page = (self.folder / "out" / "failures.html").read_text()
        self.assertEqual(page.count("<article"), 1)
        for part in ("1 of 6 answers are not right", items[1]["id"], "DONE()", "data:image/webp;base64,", "what it thought"):
            self.assertIn(part, page)
        for item in self.lines("answers.jsonl"):
            self.assertIn("<think>", item["text"])

    def test_clicks_in_boxes(self):
        items = [{**item, "reference": [0, 0, 1000, 1000] if i % 2 else [998, 998, 1000, 1000]} for i, item in enumerate(golden_items())]
        got = self.run_it(self.put(items), "--score", "click", "--concurrency", "3")
        self.assertEqual((got["scored"], got["right"]), (6, 3))
        page = (self.folder / "out" / "failures.html").read_text()
        self.assertIn("<rect ", page)

    def test_the_order_and_how_many_at_once_change_no_answer(self):
        file = self.put(golden_items())
        self.run_it(file, "--concurrency", "1", out="one")
        self.run_it(file, "--concurrency", "6", "--shuffle", "--seed", "3", out="six")
        one, six = ({row["line"]: row["text"] for row in self.lines("answers.jsonl", out)} for out in ("one", "six"))
        self.assertEqual(one, six)

    def test_another_rule_asks_nothing_again(self):
        file = self.put(golden_items())
        self.run_it(file, "--limit", "2")
        before = (self.folder / "out" / "answers.jsonl").read_bytes()
        got = self.run_it(file, "--limit", "2", "--score", "contains")
        self.assertEqual((got["asked_now"], got["right"]), (0, 2))
        self.assertEqual((self.folder / "out" / "answers.jsonl").read_bytes(), before)
        self.assertEqual(self.run_it(file, "--limit", "3")["asked_now"], 1)

    def test_without_references(self):
        items = [{k: v for k, v in item.items() if k != "reference"} for item in golden_items()[:2]]
        got = self.run_it(self.put(items), "--score", "none")
        self.assertEqual((got["answered"], got["scored"], got["failures"]), (2, 0, []))

    def test_a_judge_says_yes_or_no(self):
        got = self.run_it(self.put(golden_items()[:3]), "--score", "judge")
        self.assertEqual((got["answered"], got["scored"], got["unjudged"]), (3, 3, []))
        self.assertGreater(got["tokens"]["judge"], 0)
        for row in self.lines("judgements.jsonl"):
            said = row["text"].split("</think>")[-1].replace("<answer>", "").replace("</answer>", "").replace("<|begin_of_box|>", "").replace("<|end_of_box|>", "").strip()
            self.assertIn(said, ("yes", "no"))
            self.assertEqual(row["right"], said == "yes")
        again = self.run_it(self.put(golden_items()[:3]), "--score", "judge")
        self.assertEqual(again["tokens"]["judge"], got["tokens"]["judge"])  # nothing was judged twice

    def test_a_video_and_a_thought_that_is_closed_by_force(self):
        shutil.copy(MEDIA / "golden-v.mkv", self.data / "film.mkv")
        items = [{"question": "What happens? <video>", "video": "film.mkv", "answer": "x"}, {"question": "Say something long.", "answer": "x"}]
        got = self.run_it(self.put(items), "--thinking-budget", "2")
        self.assertEqual(got["answered"], 2)
        self.assertGreater(self.lines("answers.jsonl")[0]["image_tokens"] + self.lines("answers.jsonl")[1]["image_tokens"], 0)
        self.assertGreaterEqual(got["thoughts_closed_by_force"], 1)


class GoingOn(Case):
    def test_after_a_stop(self):
        file = self.put([{**item, "prompt": f"{item['prompt']} {i}"} for i in range(20) for item in golden_items()])
        log = self.folder / "out" / "answers.jsonl"
        work = subprocess.Popen([*self.command(file, "--out", self.folder / "out", "--concurrency", "2")], env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        end = time.monotonic() + WAIT_S
        while time.monotonic() < end and work.poll() is None and not (log.exists() and log.read_bytes().count(b"\n") >= 4):
            time.sleep(0.01)
        work.send_signal(signal.SIGINT)
        out, said = work.communicate(timeout=WAIT_S)
        self.assertEqual(work.returncode, 3, out + said)
        self.assertIn("of 120 are answered and kept in", said)
        kept = log.read_bytes()
        log.write_bytes(kept + b'{"line": 120, "te')  # as a crash would leave it
        first = {row["line"]: row["text"] for row in map(json.loads, kept.splitlines())}
        self.assertLess(len(first), 120)
        got = self.run_it(file, "--limit", str(len(first) + 6))
        self.assertLessEqual(got["asked_now"], len(first) + 6)
        rows = self.lines("answers.jsonl")
        self.assertEqual(len({row["line"] for row in rows}), len(rows))  # nothing was asked twice
        self.assertEqual({row["line"]: row["text"] for row in rows[:len(first)]}, first)
        self.assertEqual(got["answered"], len(first) + 6)

    def serve(self, port=0):
        server = subprocess.Popen([BINARIES / "handeye", "serve", "--model", NANO, "--threads", "1", "--port", str(port), "--json"], env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(lambda: (server.kill(), server.communicate()))
        return server, json.loads(server.stdout.readline())["url"]

    def test_after_the_server_of_the_model_is_lost(self):
        file = self.put([{**item, "prompt": f"{item['prompt']} {i}"} for i in range(10) for item in golden_items()])
        server, url = self.serve()
        log = self.folder / "out" / "answers.jsonl"
        words = (file, "--model", url, "--out", self.folder / "out", "--concurrency", "3")
        work = subprocess.Popen(self.command(*words), env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        end = time.monotonic() + WAIT_S
        while time.monotonic() < end and work.poll() is None and not (log.exists() and log.read_bytes().count(b"\n") >= 4):
            time.sleep(0.01)
        server.kill()
        out, said = work.communicate(timeout=WAIT_S)
        self.assertEqual(work.returncode, 5, out + said)
        self.assertIn("of 60 are answered and kept in", said)
        first = len(self.lines("answers.jsonl"))
        self.assertLess(first, 60)
        self.serve(int(url.rsplit(":", 1)[1].split("/")[0]))
        got = self.run_it(*words[:3], "--concurrency", "3")
        self.assertEqual((got["answered"], got["asked_now"]), (60, 60 - first))

    def test_a_judge_on_a_server(self):
        _, url = self.serve()
        got = self.run_it(self.put(golden_items()[:2]), "--score", "judge", "--judge", url)
        self.assertEqual((got["judge"], got["scored"]), (url, 2))
        self.assertIn("judge was", self.refused(self.data / "items.jsonl", "--score", "judge"))

    def test_what_changed_is_refused_by_name(self):
        file = self.put(golden_items()[:2])
        self.run_it(file)
        for words, says in ((("--temperature", "0.5"), "temperature was 0.0 and is 0.5 now"), (("--thinking-budget", "9"), "thinking_budget was 8192 and is 9 now"), (("--system", "Hello."), "system was empty and is Hello. now"),
                            (("--field", "prompt=prompt"), "fields was"), (("--kv-cache", "8bit"), "model was")):
            self.assertIn(says, self.refused(file, *words))
        self.put(golden_items()[:1])
        self.assertIn("file was", self.refused(file))

    def test_another_model_is_refused(self):
        file = self.put([{"prompt": "Hello.", "reference": "x"}])
        self.run_it(file)
        other = self.folder / "other"
        shutil.copytree(NANO, other, ignore=shutil.ignore_patterns("train", "eval", "SHA256SUMS"))
        weights = bytearray((other / "model.safetensors").read_bytes())
        weights[-5] ^= 1
        (other / "model.safetensors").write_bytes(weights)
        self.assertIn("model was", self.refused(file, "--model", other))

    def test_a_folder_of_something_else_is_left_alone(self):
        (self.folder / "out").mkdir()
        (self.folder / "out" / "thesis.txt").write_text("mine")
        self.assertIn("holds no evaluation", self.refused(self.put(golden_items()[:1])))
        self.assertEqual([f.name for f in (self.folder / "out").iterdir()], ["thesis.txt"])


class Hostile(Case):
    def test_lines_and_pictures_that_are_none(self):
        secret = self.folder / "secret.png"
        shutil.copy(self.data / "form-01.png", secret)
        (self.data / "link.png").symlink_to(secret)
        (self.data / "broken.png").write_bytes((self.data / "form-01.png").read_bytes()[:500])
        (self.data / "empty.png").write_bytes(b"")
        os.mkfifo(self.data / "pipe.png")
        (self.data / "folder.png").mkdir()
        good = golden_items()[0]
        names = ["../secret.png", str(secret), "link.png", "/etc/passwd", "http://127.0.0.1:1/a.png", "none.png", "broken.png", "empty.png", "pipe.png", "folder.png", "data:image/png;base64,AAAA", "items.jsonl"]
        items = [{**good, "images": [name]} for name in names]
        items += ['{"prompt": "x"', "[]", {"prompt": "no reference"}, {"prompt": "", "reference": "x"}, {"prompt": 5, "reference": {}}, {**good, "images": [good["images"][0]] * 301}, good]
        got = self.run_it(self.put(items), code=1)
        self.assertEqual((got["answered"], got["right"]), (1, 1))
        self.assertEqual([row["line"] for row in got["unanswered"]], list(range(1, len(names) + 1)))
        self.assertEqual([row["line"] for row in got["bad_lines"]], list(range(len(names) + 1, len(names) + 7)))
        for row in got["unanswered"][:4]:
            self.assertRegex(row["reason"], "leads out of the allowed folder|not in the allowed folder")
        # What was made good is asked by the same command.
        shutil.copy(self.data / "form-01.png", self.data / "none.png")
        self.assertEqual(self.run_it(self.data / "items.jsonl", code=1)["asked_now"], 1)

    def test_nothing_to_ask(self):
        self.assertIn("none of its 1 lines can be asked", self.refused(self.put(["{}"])))
        self.assertIn("no number", self.refused(self.put([{"prompt": "x", "reference": "many"}]), "--score", "number"))
        self.assertIn("holds no line", self.refused(self.put([])))
        self.refused(self.folder / "nothing.jsonl")

    def test_what_the_page_shows_runs_nothing(self):
        item = golden_items()[0]
        self.run_it(self.put([{**item, "id": "<script>alert(1)</script>", "reference": "</dd><img src=http://x/ onerror=alert(1)>"}]))
        page = (self.folder / "out" / "failures.html").read_text()
        self.assertNotIn("<script>", page)
        self.assertNotIn("<img src=http", page)
        self.assertIn("default-src 'none'", page)

    def test_misspelt_options(self):
        file = self.put(golden_items()[:1])
        self.assertIn('did you mean "prompt"', self.refused(file, "--field", "promt=x"))
        self.refused(file, "--score", "guess")
        self.refused(file, "--concurrency", "0")
        self.refused(file, "--temperature", "9")


if __name__ == "__main__":
    BINARIES = pathlib.Path(sys.argv.pop(1)).resolve()
    unittest.main()
