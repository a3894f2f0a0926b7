# SPDX-License-Identifier: Apache-2.0
"""Task files that `handeye run` hands to a real handeyed, on a real window: the same results as in the program itself, and what a
daemon does not do for a file.

Arguments: the folder of the programs. Skipped (77) without Xvfb or openbox.
"""
import json
import pathlib
import re
import shutil
import subprocess
import sys
import time
import unittest
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "console"))

from daemon import Daemon  # noqa: E402

SCHEMA = json.loads((ROOT / "docs" / "protocol.schema.json").read_text())
WAIT_S = 120
BINARIES = ""
FORM = """version: 1
name: fill-form
platform: {kind: x11, min_size: [300, 200]}
vars:
  who: {type: string, default: Nobody}
steps:
  - type: {text: "${vars.who}", into: {label: Name}, clear: true}
  - for_each: {in: [Agree], as: box}
    steps:
      - click: {text: "${box}", role: check box}
  - run: {file: parts/save.yaml, vars: {button: Save}}
  - extract: {as: name, target: {role: entry, label: Name}}
"""
SAVE = """version: 1
name: save
vars: {button: string}
steps:
  - click: {role: button, label: "${vars.button}"}
"""


class TaskFilesInTheDaemon(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon(BINARIES)
        cls.addClassCleanup(cls.daemon.__exit__)
        cls.folder = cls.daemon.folder / "files"
        (cls.folder / "parts").mkdir(parents=True)
        (cls.folder / "form.yaml").write_text(FORM)
        (cls.folder / "parts" / "save.yaml").write_text(SAVE)

    def handeye(self, *words, code=0):
        done = subprocess.run([self.daemon.bin / "handeye", *map(str, words)], env=self.daemon.environment, cwd=self.folder, capture_output=True, text=True, timeout=WAIT_S,
                              stdin=subprocess.DEVNULL, check=False)
        self.assertEqual(done.returncode, code, f"{words}: {done.stdout} {done.stderr}\n{self.daemon.said()}")
        return done

    def on_form(self, answer):
        return ("--headless", "336x224", "--launch", self.daemon.form_command("Contact", answer))

    def write(self, name, steps, head=""):
        (self.folder / name).write_text(f"version: 1\nname: test\n{head}steps:\n{steps}")
        return name

    @staticmethod
    def without_times(result):
        for step in result["steps"]:
            TaskFilesInTheDaemon.without_times({"steps": step.get("steps", []), **step})
            for timed in ("seconds", "note"):
                step.pop(timed, None)
            step["file"] = pathlib.Path(step["file"]).name
        return result

    def test_a_file_is_carried_out_there_with_the_results_of_here(self):
        done = self.handeye("run", "form.yaml", "--var", "who=Ada", *self.on_form("there.json"), "--result", "there.result", "--junit", "there.xml")
        self.assertIn("in the daemon)", done.stdout)
        self.assertEqual(self.daemon.answer("there.json"), {"checks": {"Agree": True}, "clicked": ["Save"], "fields": {"Name": "Ada"}})
        self.assertLess(done.stdout.index("for_each"), done.stdout.index("click Agree"), done.stdout)  # a loop's line before those within it
        self.handeye("run", "form.yaml", "--in-process", "--var", "who=Ada", *self.on_form("here.json"), "--result", "here.result", "--junit", "here.xml")
        self.assertEqual(self.daemon.answer("here.json"), self.daemon.answer("there.json"))
        there, here = (json.loads((self.folder / name).read_text()) for name in ("there.result", "here.result"))
        self.assertEqual(there["outputs"], {"name": "Ada"})
        shape = lambda result: [(step["verb"], step["label"], step["status"], step.get("found", {}).get("rung")) for step in result["steps"]]
        self.assertEqual(shape(there), shape(here))
        self.assertEqual(sorted(there), sorted(here))
        suite = xml.etree.ElementTree.parse(self.folder / "there.xml").getroot()[0]
        self.assertEqual((suite.get("tests"), suite.get("failures")), ("4", "0"))
        self.assertEqual(suite[2].get("name"), "form.yaml:10: click Agree [1]")

    def test_each_event_is_as_described_and_the_recording_holds_the_result(self):
        events = [json.loads(line) for line in self.handeye("run", "form.yaml", "--json", *self.on_form("events.json")).stdout.splitlines()]
        for event in events:
            self.assertIn(event["type"], SCHEMA["events"])
            self.assertEqual(set(event["data"]) - set(SCHEMA["events"][event["type"]]["data"]), set(), event)
        self.assertEqual(sum(event["type"] == "taskfile.finished" for event in events), 1)
        path = json.loads(self.handeye("recordings", "show", events[0]["session"], "--json").stdout)["recording"]
        self.handeye("verify", path)

    def test_what_falls_short_has_its_exit_code_and_its_place(self):
        self.write("short.yaml", "  - click: {label: Nowhere, within: 100ms}\n")
        done = self.handeye("run", "short.yaml", *self.on_form("short.json"), "--result", "short.result", code=1)
        self.assertIn("fell_short: short.yaml:4: ", done.stdout)
        self.assertEqual(json.loads((self.folder / "short.result").read_text())["steps"][0]["failure"]["kind"], "target_not_found")

    def test_what_is_tied_to_this_machine_runs_here_or_is_refused(self):
        (self.folder / "there.txt").write_text("yes")
        self.write("tied.yaml", "  - assert: {file: there.txt, contains: yes}\n")
        done = self.handeye("run", "tied.yaml", *self.on_form("tied.json"))
        self.assertIn("this runs here and not in the daemon, because of what the file names: tied.yaml:4:20: the file \"there.txt\"", done.stderr)
        self.assertNotIn("in the daemon)", done.stdout)
        socket = self.daemon.folder / "handeye" / "handeyed.sock"
        refused = self.handeye("run", "tied.yaml", *self.on_form("refused.json"), "--daemon", f"unix:{socket}", code=2)
        self.assertIn("tied.yaml:4:20: a daemon does not carry this out for you", refused.stderr)

    def test_a_question_is_answered_from_another_terminal_and_the_client_may_be_gone(self):
        self.write("asks.yaml", "  - ask: {question: \"Which one?\", choices: [red, blue], as: colour}\n  - assert: {expr: \"outputs.colour == 'blue'\"}\n")
        with subprocess.Popen([self.daemon.bin / "handeye", "run", "asks.yaml", "--json", *self.on_form("asks.json")], env=self.daemon.environment, cwd=self.folder,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as client:
            while (event := json.loads(client.stdout.readline()))["type"] != "question.asked":
                pass
            client.kill()
        task, question = event["data"]["task_id"], event["data"]["question"]
        self.assertIn(f"{question}  Which one? [red, blue]", self.handeye("answer").stdout)
        self.assertIn("the answers to choose from are: red, blue", self.handeye("answer", question, "green", code=2).stderr)
        self.assertEqual(self.handeye("answer", question, "blue").stdout, "answered\n")
        self.assertEqual(json.loads(self.handeye("task", "wait", task, "--json").stdout)["outcome"], "done")
        self.handeye("sessions", "close", event["session"])

    def test_more_than_a_message_holds_is_said_before_a_screen_opens(self):
        comment = "# " + "x" * 600_000 + "\n"
        self.write("part.yaml", "  - sleep: 1ms\n" + comment)
        self.write("large.yaml", "  - run: part.yaml\n" + comment)
        before = json.loads(self.handeye("sessions", "--json").stdout)
        refused = self.handeye("run", "large.yaml", *self.on_form("large.json"), code=2)
        self.assertIn("bytes as a message, the daemon takes 1048576 (limits.message_bytes): --in-process does without it", refused.stderr)
        self.assertEqual(len(json.loads(self.handeye("sessions", "--json").stdout)["sessions"]), len(before["sessions"]))

    def test_ctrl_c_stops_the_task(self):
        self.write("waits.yaml", "  - wait_until: {text: Never shown, within: 1h}\n")
        with subprocess.Popen([self.daemon.bin / "handeye", "run", "waits.yaml", "--json", *self.on_form("waits.json")], env=self.daemon.environment, cwd=self.folder,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as client:
            while json.loads(client.stdout.readline())["type"] != "taskfile.step_started":
                pass
            client.send_signal(2)
            rest = client.stdout.read()
            self.assertEqual(client.wait(timeout=WAIT_S), 3)
        self.assertEqual(json.loads(rest.splitlines()[-1])["data"]["outcome"], "stopped")


if __name__ == "__main__":
    if not shutil.which("Xvfb") or not shutil.which("openbox"):
        print("needs Xvfb and openbox")
        sys.exit(77)
    BINARIES = pathlib.Path(sys.argv.pop(1)).resolve()
    unittest.main(verbosity=2)
