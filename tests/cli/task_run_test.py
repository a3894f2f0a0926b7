# SPDX-License-Identifier: Apache-2.0
"""Task files on real windows: `handeye run FILE`, `handeye export --to task` and `handeye replay`, on an application that
is not asked to help.

Arguments: the folder of the programs. Skipped (77) without Xvfb or openbox.
"""
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).resolve().parents[2]
FORM = ROOT / "examples" / "form_app"
MODEL = ROOT / "models" / "nano"
GOAL = "Set Name to Ada, tick Agree and click Save."
SCREEN = "336x224"
BIN = pathlib.Path()


class TaskFiles(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="he"))
        self.addCleanup(shutil.rmtree, self.folder)
        # No daemon of this user is found, and nothing is left in the person's own folders.
        self.env = dict(os.environ, XDG_RUNTIME_DIR=str(self.folder / "run"), XDG_STATE_HOME=str(self.folder / "state"),
                        XDG_CONFIG_HOME=str(self.folder / "config"), TMPDIR=str(self.folder))
        (self.folder / "run").mkdir(mode=0o700)

    def handeye(self, *arguments, env=None):
        done = subprocess.run([BIN / "handeye", *map(str, arguments)], env=env or self.env, cwd=self.folder, capture_output=True, text=True,
                              timeout=240)
        self.last = f"{' '.join(map(str, arguments))}\n{done.stdout}\n{done.stderr}"
        return done.returncode

    def launch(self, out, spec=None):
        form = spec or json.loads((FORM / "spec.json").read_text())
        file = self.folder / f"{out}.spec.json"
        file.write_text(json.dumps(form))
        return f"'{BIN / 'handeye-form-app'}' '{file}' '{self.folder / out}'"

    def received(self, out):
        return json.loads((self.folder / out).read_text())

    def wait_for(self, condition, what):
        deadline = time.monotonic() + 60
        while not condition():
            self.assertLess(time.monotonic(), deadline, what)
            time.sleep(0.02)

    def test_what_a_person_shows_is_done_again_by_the_command_that_the_summary_names(self):
        told = self.folder / "told"
        with told.open("w") as out:
            recording = subprocess.Popen([BIN / "handeye", "record", "-o", "shown.handeye", "--headless", SCREEN, "--launch", self.launch("shown.json")],
                                         env=self.env, cwd=self.folder, stdout=subprocess.PIPE, stderr=out, text=True)
        self.addCleanup(recording.kill)
        self.wait_for(lambda: "XAUTHORITY=" in told.read_text() and told.read_text().endswith("\n"), "the start of the recording")
        start = re.search(r"recording (:\d+) .*XAUTHORITY=(\S+)", told.read_text(), re.DOTALL)
        hand = dict(self.env, XAUTHORITY=start[2])
        steps = lambda: sum(re.match(r" *\d+  ", line) is not None for line in told.read_text().splitlines())
        for done, action in enumerate(['{"verb":"click","x":180,"y":45}', '{"verb":"type","text":"Ada"}', '{"verb":"click","x":18,"y":76}', '{"verb":"click","x":306,"y":198}']):
            self.assertIn(self.handeye("act", "--display", start[1], action, env=hand), (0, 1), self.last)  # 1: a click that only moves the caret
            if '"click"' in action:  # a text is over only with what follows it
                self.wait_for(lambda: steps() > done, action)
        recording.send_signal(signal.SIGINT)
        summary = recording.communicate(timeout=60)[0]
        self.assertEqual(recording.returncode, 0, told.read_text())
        self.assertEqual(self.received("shown.json"), {"checks": {"Agree": True}, "clicked": ["Save"], "fields": {"Name": "Ada"}})
        self.assertIn("shown.handeye: 4 steps", summary)
        again = re.search(r"do it again: +handeye (.*)", summary)[1].split()
        self.assertEqual(self.handeye(*again, "--headless", SCREEN, "--launch", self.launch("again.json")), 0, self.last)
        self.assertEqual(self.received("again.json"), self.received("shown.json"))
        self.assertEqual(self.handeye("verify", "shown.handeye"), 0, self.last)
        self.assertEqual(self.handeye("record", "-o", "shown.handeye", "--headless", SCREEN), 2, self.last)  # nothing is overwritten

    WANT = json.loads((FORM / "want.json").read_text())

    def test_a_file_without_a_goal_fills_the_form_and_loads_no_model(self):
        file = self.folder / "fill.yaml"
        file.write_text("""version: 1
name: fill
vars:
  who: {type: string, required: true}
steps:
  - wait_until: {text: Save, within: 15s}
  - key: tab
    optional: true
  - click: {region: {near: {text: Name, side: right}, width: 120, height: 24}, template: field.png, colour: red}
""")
        self.assertEqual(self.handeye("run", file, "--var", "who=Ada"), 2, self.last)  # a mistake in the file: nothing is opened
        self.assertIn("fill.yaml:9:", self.last)
        file.write_text("""version: 1
name: fill
vars:
  who: {type: string, required: true}
steps:
  - wait_until: {text: Save, within: 15s}
  - click: Agree
  - click: {landmarks: [{text: Name, right: 90, down: 0}, {text: Agree, right: 60, down: -35}]}
    optional: true
  - click: Save
    irreversible: true
  - assert: {file: filled.json, newer_than: task, contains: '"clicked":\\["Save"\\]', within: 5s}
""")
        code = self.handeye("run", file, "--var", "who=Ada", "--headless", SCREEN, "--launch", self.launch("filled.json"), "--result", "result.json", "--junit",
                            "result.xml", "--record", "fill.handeye", "--json")
        self.assertEqual(code, 0, self.last)
        self.assertEqual(self.received("filled.json")["checks"], {"Agree": True})
        result = json.loads((self.folder / "result.json").read_text())
        self.assertEqual(result["outcome"], "done")
        self.assertIn(result["steps"][1]["found"]["rung"], ("structure", "text"))
        self.assertEqual(xml.etree.ElementTree.parse(self.folder / "result.xml").getroot()[0].get("failures"), "0")
        opened = next(line for line in map(json.loads, self.last.splitlines()[1:]) if line and line.get("type") == "session.opened")
        self.assertEqual(opened["data"]["model"]["name"], "none")
        self.assertEqual(self.handeye("export", "fill.handeye", "--to", "task", "-o", "again/"), 0, self.last)
        again = (self.folder / "again" / "task.yaml").read_text()
        self.assertEqual(again.count("irreversible: true"), 1, again)
        self.assertLess(again.index("Save"), again.index("irreversible: true"), "what the file said of a step stays said")

    def test_what_the_model_did_is_done_again_without_it(self):
        code = self.handeye("run", GOAL, "--headless", SCREEN, "--launch", self.launch("first.json"), "--model", MODEL, "--record", "first.handeye")
        self.assertEqual(code, 0, self.last)
        self.assertEqual(self.received("first.json"), self.WANT)
        code = self.handeye("replay", "first.handeye", "--headless", SCREEN, "--launch", self.launch("again.json"), "--record", "again.handeye", "--result", "again.result")
        self.assertEqual(code, 0, self.last)
        self.assertEqual(self.received("again.json"), self.WANT)
        seconds = [self.task_seconds(name) for name in ("first.handeye", "again.handeye")]
        print(f"by the model {seconds[0]:.2f} s, again {seconds[1]:.2f} s: {seconds[0] / seconds[1]:.1f} times as fast")
        self.assertEqual(self.tokens("again.handeye"), 0)

        # A button that is called otherwise is not pressed.
        renamed = {"title": "Contact", "widgets": [["field", "Name"], ["check", "Agree"], ["button", "Discard"], ["button", "Cancel"]]}
        code = self.handeye("replay", "first.handeye", "--headless", SCREEN, "--launch", self.launch("renamed.json", renamed))
        self.assertEqual(code, 1, self.last)
        self.assertIn("Save", self.last)
        self.assertEqual(self.received("renamed.json")["clicked"], [])
        self.assertIn("first.handeye:", self.last)
        self.assertNotIn("/replay-", self.last, "a folder that is gone")
        self.assertIn("handeye export first.handeye --to task", self.last)

        # Nor is anything typed into a field beside another word: it has no label of its own.
        other = {"title": "Contact", "widgets": [["field", "Colour"], ["check", "Agree"], ["button", "Save"], ["button", "Cancel"]]}
        self.assertEqual(self.handeye("replay", "first.handeye", "--headless", SCREEN, "--launch", self.launch("other.json", other)), 1, self.last)
        self.assertIn('entry "Name" was not found', self.last)
        self.assertEqual(self.received("other.json")["fields"], {"Colour": ""})

        # The model of today would do the same on these screens; one that is asked for something else would not.
        self.assertEqual(self.handeye("replay", "first.handeye", "--model-only", "--model", MODEL, "--json"), 0, self.last)
        answers = json.loads(self.last.splitlines()[1])
        self.assertEqual(answers["changed"], 0)
        self.assertTrue(all(answer["same"] and answer["prompt_same"] for answer in answers["answers"]), answers)
        prompts = self.folder / "prompts"
        shutil.copytree(ROOT / "prompts" / "compact", prompts / "compact")
        for template in (prompts / "compact").glob("*.md"):
            template.write_text(template.read_text().replace("{{goal}}", "Click Cancel."))
        self.assertEqual(self.handeye("replay", "first.handeye", "--model-only", "--model", MODEL, "--prompts-dir", prompts), 1, self.last)
        self.assertIn("CHANGED", self.last)
        self.assertIn("the prompt is another one", self.last)

        # As a file it can be read, checked and changed.
        self.assertEqual(self.handeye("export", "first.handeye", "--to", "task", "-o", "compiled/"), 0, self.last)
        self.assertEqual(self.handeye("task", "validate", "compiled/task.yaml"), 0, self.last)

    def test_a_goal_keeps_the_path_on_which_it_was_reached(self):
        file = self.folder / "kept.yaml"
        file.write_text(f"""version: 1
name: kept
vars:
  who: {{type: string, default: Ada}}
steps:
  - wait_until: {{text: Save, within: 15s}}
  - goal: "{GOAL.replace("Ada", "${vars.who}")}"
    compile: on_success
""")
        tokens = []
        for out, spec in (("one.json", None), ("two.json", None), ("three.json", {"title": "Other", "widgets": [["check", "Agree"], ["field", "Name"], ["button", "Cancel"], ["button", "Save"]]})):
            code = self.handeye("run", file, "--headless", SCREEN, "--launch", self.launch(out, spec), "--model", MODEL, "--record", f"{out}.handeye", "--result", "result.json")
            self.assertEqual(code, 0, self.last)
            self.assertEqual("drift: " in self.last, out != "one.json", self.last)
            self.assertEqual(self.received(out), self.WANT)
            said = self.last
            tokens.append(self.tokens(f"{out}.handeye"))
        self.assertGreater(tokens[0], 0)
        self.assertEqual(tokens[1:], [0, 0], "the second run is free")
        numbers = re.findall(r"^(?:ok  |    ) +(\d+)  ( *)(\w+)", said, re.MULTILINE)
        self.assertEqual([int(row[0]) for row in numbers], [*range(1, len(numbers)), 2], said)
        self.assertEqual([len(row[1]) for row in numbers], [0, 0, *[2] * (len(numbers) - 3), 0], "what lies within the goal is set in")
        self.assertEqual(said.count("goal Set Name to Ada, tick Agree"), 2, "as it was meant")
        kept = list((self.folder / "kept.paths").glob("*/task.yaml"))
        self.assertEqual(len(kept), 1)
        self.assertIn('"${vars.who}"', kept[0].read_text())
        self.assertEqual(self.handeye("task", "validate", kept[0]), 0, self.last)

    def test_a_renamed_button_is_healed_for_a_person_to_look_at(self):
        self.assertEqual(self.handeye("run", GOAL, "--headless", SCREEN, "--launch", self.launch("first.json"), "--model", MODEL, "--record", "first.handeye"), 0, self.last)
        renamed = {"title": "Contact", "widgets": [["field", "Name"], ["check", "Agree"], ["button", "Save it"], ["button", "Cancel"]]}
        again = ("replay", "first.handeye", "--headless", SCREEN, "--launch", self.launch("renamed.json", renamed))
        self.assertEqual(self.handeye(*again), 1, self.last)
        self.assertEqual(self.handeye(*again, "--heal", "healing", "--model", MODEL), 0, self.last)
        self.assertEqual(self.received("renamed.json")["clicked"], ["Save it"])
        diff = (self.folder / "healing" / "healed" / "heal.diff").read_text()
        self.assertIn('label: "Save it", exact: true', diff)
        patched = subprocess.run(["patch", "-p1", "-i", "../healed/heal.diff"], cwd=self.folder / "healing" / "task", capture_output=True, text=True)
        self.assertEqual(patched.returncode, 0, patched.stdout + patched.stderr)
        self.assertEqual(self.handeye("run", "healing/task/task.yaml", "--headless", SCREEN, "--launch", self.launch("healed.json", renamed)), 0, self.last)
        self.assertEqual(self.received("healed.json")["clicked"], ["Save it"])

    def events(self, recording):
        out = f"{recording}.jsonl"
        self.assertEqual(self.handeye("export", recording, "--to", "jsonl", "--force", "-o", out), 0, self.last)
        return [json.loads(line) for line in (self.folder / out).read_text().splitlines()]

    def task_seconds(self, recording):
        return next(event["data"]["wall_ms"] for event in self.events(recording) if event["type"] == "task.finished") / 1000

    def tokens(self, recording):
        return next(event["data"]["tokens"] for event in self.events(recording) if event["type"] == "task.finished")


if __name__ == "__main__":
    BIN = pathlib.Path(sys.argv.pop(1)).resolve()
    if not shutil.which("Xvfb") or not shutil.which("openbox"):
        sys.exit(77)
    unittest.main(verbosity=2)
