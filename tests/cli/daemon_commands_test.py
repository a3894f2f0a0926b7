# SPDX-License-Identifier: Apache-2.0
"""`handeye` as a client of a real handeyed: sessions, tasks, leases, events, policies and recordings, as a person and as a script
use them; and every event of a real task is one that docs/protocol.schema.json describes.

Arguments: the folder of the programs. Skipped (77) without Xvfb or openbox.
"""
import concurrent.futures
import json
import os
import pathlib
import re
import shutil
import signal
import stat
import subprocess
import sys
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "console"))

from daemon import Daemon  # noqa: E402

SCHEMA = json.loads((ROOT / "docs" / "protocol.schema.json").read_text())
GOAL = "Set Name to Ada, tick Agree and click Save."
WAIT_S = 120
BINARIES = ""


def fault_of(event):
    """What the protocol file would not say of this event; empty when it is as described."""
    wanted = SCHEMA["notifications"]["event"]["params"]["required"]
    if missing := [name for name in wanted if name not in event]:
        return f"lacks {missing}"
    described = SCHEMA["events"].get(event["type"])
    if described is None:
        return f"{event['type']} is not described"
    strange = [name for name in event["data"] if name not in described["data"]]
    return f"{event['type']} has {strange}" if strange else ""


class Case(unittest.TestCase):
    """All cases share one daemon."""
    daemon = None

    @classmethod
    def start_daemon(cls):
        cls.daemon = Daemon(BINARIES)
        deadline = time.monotonic() + WAIT_S
        while json.loads(subprocess.run([cls.daemon.bin / "handeye", "engine", "status", "--json"], env=cls.daemon.environment, check=True,
                                        stdout=subprocess.PIPE).stdout)["state"] != "ready":
            assert time.monotonic() < deadline, cls.daemon.said()
            time.sleep(0.05)

    def run_both(self, *words, code=0, environment=None):
        """What it printed and what it complained of."""
        done = subprocess.run([self.daemon.bin / "handeye", *words], env=environment or self.daemon.environment, capture_output=True, text=True,
                              timeout=WAIT_S, check=False, stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, code, f"{words}: {done.stdout} {done.stderr}")
        return done.stdout, done.stderr

    def run_it(self, *words, code=0):
        return self.run_both(*words, code=code)[0]

    def ask(self, *words, code=0):
        return json.loads(self.run_it(*words, "--json", code=code))

    def lines(self, *words, code=0):
        return [json.loads(line) for line in self.run_it(*words, "--json", code=code).splitlines()]

    def post(self, method, params):
        done = subprocess.run(["curl", "-sS", "--unix-socket", self.daemon.folder / "handeye" / "handeyed.sock", "-H", "Content-Type: application/json",
                               "-d", json.dumps(params), f"http://localhost/v1/{method}"], capture_output=True, text=True, check=True)
        return json.loads(done.stdout)

    def start_session(self, **target):
        """A session that stays, opened over the socket as any program does."""
        session = self.post("session/create", {"platform": "x11", "target": {"headless": "336x224", **target}})["session"]
        self.addCleanup(self.post, "session/close", {"session": session})
        return session

    def reload(self, policy="", answer="was read again", **files):
        """The daemon with these files in its configuration folder."""
        files["config"] = f"log: {{level: info}}\n{policy}"
        told = self.daemon.said().count(answer)
        folder = self.daemon.folder / "config" / "handeye"
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        for name, text in files.items():
            (folder / f"{name}.yaml").write_text(text)
            (folder / f"{name}.yaml").chmod(0o600)
        self.daemon.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + WAIT_S
        while self.daemon.said().count(answer) == told:
            self.assertLess(time.monotonic(), deadline, self.daemon.said())
            time.sleep(0.01)


class SideBySide(Case):
    """Each has sessions of its own and leaves the daemon as it was."""

    def test_a_task_is_followed_and_its_log_is_as_described(self):
        events = self.lines("run", GOAL, "--headless", "336x224", "--launch", self.daemon.form_command("Contact", "cli.json"))
        self.assertEqual([event["seq"] for event in events], list(range(1, len(events) + 1)))
        session = events[0]["session"]
        task = next(event["data"]["task_id"] for event in events if event["type"] == "task.started")
        ended = self.ask("task", "status", task)
        self.assertTrue(ended["finished"], ended)
        self.assertIn(task, [one["task"] for one in self.ask("task", "list")["tasks"]] + [task])
        self.assertEqual(self.ask("task", "wait", task, code=ended["exit_code"])["outcome"], ended["outcome"])
        log = self.lines("events", session)
        self.assertEqual([fault for event in log if (fault := fault_of(event))], [])
        self.assertEqual(log[:len(events)], events)
        self.assertEqual(self.lines("events", session, "--from", "3")[0]["seq"], 3)
        lines = self.run_it("events", session).splitlines()
        self.assertIn("task.started", " ".join(lines))
        self.assertTrue(any(line.endswith("...") for line in lines))
        self.assertLess(max(len(line.encode()) for line in lines), 300)
        self.recordings(session, log)

    def recordings(self, session, log):
        self.run_it("sessions", "close", session)
        self.assertIn(session, [one["session"] for one in self.ask("recordings")["recordings"]])
        self.assertEqual(self.ask("recordings", "show", session)["goals"], [GOAL])
        self.assertIn(GOAL, self.run_it("recordings", "show", session))
        out = self.daemon.folder / "page.html"
        self.assertEqual(self.ask("recordings", "export", session, "--format", "html", "-o", str(out))["media_type"], "text/html")
        self.assertEqual(stat.S_IMODE(out.stat().st_mode), 0o600)
        exported = [json.loads(line) for line in self.run_it("recordings", "export", session).splitlines()]
        self.assertEqual([event["seq"] for event in exported], list(range(1, len(exported) + 1)))
        self.assertGreaterEqual(len(exported), len(log))
        self.run_it("recordings", "delete", session)
        self.run_it("recordings", "show", session, code=2)

    def test_a_task_outlives_the_terminal_of_its_client(self):
        with subprocess.Popen([self.daemon.bin / "handeye", "run", GOAL, "--json", "--headless", "336x224", "--launch", self.daemon.form_command("Contact", "hup.json")],
                              env=self.daemon.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as client:
            while (event := json.loads(client.stdout.readline()))["type"] != "task.started":
                pass
            client.send_signal(signal.SIGHUP)
            said = client.communicate(timeout=WAIT_S)[0]
            self.assertEqual(client.returncode, 3)
            self.assertIn("the task goes on", said)
        task = event["data"]["task_id"]
        deadline = time.monotonic() + WAIT_S
        while not (ended := self.ask("task", "status", task))["finished"]:
            self.assertLess(time.monotonic(), deadline)
        self.assertNotEqual(ended["exit_code"], 3, ended)  # stopped
        self.run_it("sessions", "close", event["session"])

    def test_following_all_begins_now_and_names_the_session(self):
        session = self.start_session()
        path = self.daemon.folder / "followed"
        with open(path, "w") as out:
            follower = subprocess.Popen([self.daemon.bin / "handeye", "events", "--follow"], env=self.daemon.environment, stdout=out)
        self.addCleanup(follower.wait)
        self.addCleanup(follower.kill)
        deadline = time.monotonic() + WAIT_S
        while not (lines := [line.split() for line in path.read_text().splitlines() if session in line]):
            self.assertLess(time.monotonic(), deadline)
            self.run_it("sessions", "name", session, str(time.monotonic()))  # until it listens
        self.assertEqual(lines[0][0], session)
        self.assertGreater(int(lines[0][1]), 1)

    def test_following_ends_with_the_session(self):
        session = self.start_session()
        self.run_it("sessions", "close", session)
        followed = self.lines("events", "--follow", session)
        self.assertEqual(followed[-1]["type"], "session.closed")
        self.assertEqual(followed[0]["seq"], 1)

    def test_following_ends_with_the_reader_and_misses_nothing(self):
        session = self.start_session()
        follower = subprocess.Popen([self.daemon.bin / "handeye", "events", "--follow", session, "--json"], env=self.daemon.environment,
                                    stdout=subprocess.PIPE, text=True)
        try:
            first = json.loads(follower.stdout.readline())
            self.assertEqual((first["seq"], first["session"]), (1, session))
            self.run_it("sessions", "name", session, "Für Ada")
            while json.loads(follower.stdout.readline())["type"] != "session.updated":
                pass
            follower.terminate()
            self.assertEqual(follower.wait(timeout=WAIT_S), 0)
        finally:
            follower.kill()
            follower.stdout.close()
        self.run_it("events", code=2)
        self.run_it("events", "nowhere", code=2)

    def test_a_task_is_paused_stepped_amended_and_cancelled(self):
        session = self.start_session()
        self.assertEqual(self.ask("sessions", "doctor", session)["pass"], True)
        self.assertIn("windows", self.ask("sessions", "windows", session))
        lease = self.ask("lease", "acquire", session, "--mode", "script")["lease"]
        task = self.post("task/run", {"session": session, "goal": GOAL})["task"]
        while self.ask("task", "status", task)["state"] != "script":  # it waits for the lease: from here on nothing is a race
            pass
        self.assertEqual(self.ask("task", "pause", task)["task"], task)
        self.assertEqual(self.ask("task", "amend", task, "Be quick.")["task"], task)
        self.assertEqual(self.ask("task", "step", task)["task"], task)
        self.assertEqual(self.ask("task", "resume", task)["task"], task)
        self.run_it("task", "cancel", task)
        self.run_it("lease", "release", session, lease)
        self.assertEqual(self.ask("task", "wait", task, code=3)["outcome"], "stopped")
        self.assertTrue(self.ask("task", "step", task)["finished"])
        self.run_it("task", "status", "nowhere", code=2)
        self.assertIn("task.amended", [event["type"] for event in self.lines("events", session)])

    def test_a_lease_is_taken_shown_refused_to_others_and_given_back(self):
        session = self.start_session()
        self.assertEqual(self.ask("lease", "status", session)["holder"], "none")
        lease = self.ask("lease", "acquire", session, "--seconds", "600")["lease"]
        self.assertEqual(self.ask("lease", "status", session)["holder"], "human")
        self.run_it("lease", "acquire", session, "--mode", "script", code=3)
        self.run_it("lease", "release", session, "another", code=3)
        self.run_it("lease", "release", session, lease)
        self.assertEqual(self.ask("lease", "status", session)["holder"], "none")

    def test_what_waits_is_listed_and_taken_over(self):
        session = self.start_session(launch=[self.daemon.form_command("Contact", "asked.json")])
        self.assertEqual(self.run_it("approve"), "nothing waits for you\n")
        task = self.post("task/run", {"session": session, "goal": GOAL, "policy": {"rules": [{"name": "ask me", "effect": "ask"}]}})["task"]
        deadline = time.monotonic() + WAIT_S
        while not (waiting := self.ask("approve")["approvals"]):
            self.assertLess(time.monotonic(), deadline)
        approval = waiting[0]["approval"]
        self.assertRegex(self.run_it("approve"), rf"{approval}  waits, \d+ s left  .*{session}\n    [a-z ]+ at \(\d+, \d+\)")
        said = self.run_it("approve", approval, "take-over")
        self.assertEqual(self.ask("lease", "status", session)["holder"], "human")
        self.assertRegex(self.run_it("task", "resume", task), rf"a person \(handeye\) has mouse and keyboard of session {session}\. .*\n.*`handeye lease release {session} LEASE`")
        self.assertEqual(self.run_it("approve"), "nothing waits for you\n")
        self.assertRegex(self.run_it("approve", "list", "--all"), rf"{approval}  taken over by ")
        self.run_it("task", "cancel", task)
        self.run_it(*said.partition("handeye ")[2].split())  # the command that it says gives the session back
        self.assertEqual(self.ask("lease", "status", session)["holder"], "none")

    def test_verbs_may_be_named_as_a_dialect_calls_them(self):
        form = self.daemon.form_command("Contact", "denied.json")
        events = self.lines("run", GOAL, "--headless", "336x224", "--launch", form, "--deny", "left_click", "--max-steps", "1", code=1)
        denied = [event["data"] for event in events if event["type"] == "action.gated" and event["data"]["gate"] == "deny"]
        self.assertTrue(denied, events)
        self.assertEqual(self.daemon.clicked("denied.json"), [])
        self.run_it("run", GOAL, "--headless", "336x224", "--deny", "fly", code=2)

    def test_the_engine_is_described_and_tested(self):
        self.assertEqual(self.ask("engine", "status")["state"], "ready")
        self.assertTrue(self.ask("engine", "selftest")["is_repeatable"])
        self.assertGreaterEqual(self.ask("engine", "stats")["inferences"], 0)

    def test_the_example_of_the_mcp_page_runs_as_it_stands(self):
        script = re.search(r"```sh\n(.*?)```", (ROOT / "docs" / "mcp.md").read_text(), re.S).group(1)
        environment = dict(self.daemon.environment, PATH=f"{self.daemon.bin.resolve()}:{os.environ['PATH']}")
        lines = subprocess.run(["sh", "-e", "-c", script], env=environment, check=True, stdout=subprocess.PIPE, timeout=WAIT_S).stdout.splitlines()
        acted, seen, closed = [json.loads(line)["result"] for line in lines]
        self.assertEqual(acted["structuredContent"]["landed"], {"x": 20, "y": 30})
        self.assertEqual(seen["content"][0]["type"], "image")
        self.assertIn("session", closed["structuredContent"])

    def test_a_wrong_token_is_bad_input_and_a_lost_daemon_is_told(self):
        folder = self.daemon.folder / "other"
        environment = dict(self.daemon.environment, XDG_RUNTIME_DIR=str(folder), XDG_CONFIG_HOME=str(folder), XDG_STATE_HOME=str(folder))
        other = subprocess.Popen([self.daemon.bin / "handeyed", "--listen", "127.0.0.1:0"], env=environment, stderr=subprocess.PIPE, text=True)
        for undo in (other.stderr.close, other.wait, other.kill):  # the last first
            self.addCleanup(undo)
        while not (found := re.search(r"listening on (127\.0\.0\.1:\d+)", line := other.stderr.readline())):
            self.assertTrue(line, "it ended")
        where = ["--daemon", found.group(1)]
        complaint = self.run_both("sessions", *where, code=2, environment=dict(environment, HANDEYE_TOKEN="wrong"))[1]
        self.assertRegex(complaint, "unauthorized: .*--token-file FILE")
        self.run_both("sessions", *where, environment=environment)  # the token of its own file opens it
        with subprocess.Popen([self.daemon.bin / "handeye", "mcp", *where], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as mcp:
            print('{"jsonrpc":"2.0","id":1,"method":"tools/list"}', file=mcp.stdin, flush=True)
            self.assertIn("session_open", mcp.stdout.readline())  # it is connected
            other.kill()
            other.wait(timeout=WAIT_S)
            print('{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"recordings","arguments":{}}}', file=mcp.stdin, flush=True)
            self.assertIn("the connection broke off", mcp.stdout.readline())


class Alone(Case):
    """These change the daemon for all."""

    def test_a_policy_is_shown_explained_and_replaced(self):
        self.reload(policy="policy: {deny_verbs: [long_press]}\n")
        self.addCleanup(self.reload)
        session = self.start_session()
        self.assertRegex(self.run_it("policy", "show", session), r"(?s)within the daemon's own.*long_press")
        action = '{"verb":"click","x":5,"y":5}'
        self.assertEqual(self.ask("policy", "explain", session, action)["gate"], "allow")
        rules = self.daemon.folder / "policy.json"
        rules.write_text('{"rules":[{"name":"hands off","effect":"deny","verbs":["click"]}]}')
        self.run_it("policy", "set", session, str(rules))
        self.assertIn('deny by "rule 1: hands off": "click" is not allowed here (rule 1: hands off, policy.set)',
                      self.run_it("policy", "explain", session, action))
        self.assertIn("(deny_verbs: long_press, config.yaml:2)", self.run_it("policy", "explain", session, '{"verb":"long_press","x":5,"y":5}'))
        self.assertEqual(self.ask("policy", "show", session)["policy"]["rules"][0]["name"], "hands off")
        rules.write_text('{"rules":[{"effect":"deny","verbs":["fly"]}]}')
        self.run_it("policy", "set", session, str(rules), code=2)
        rules.write_text("{")
        self.run_it("policy", "set", session, str(rules), code=2)

    def test_secrets_are_read_again_whole_or_not_at_all(self):
        def opens(name):
            answer = self.post("session/create", {"platform": "x11", "target": {"headless": "64x64"}, "secrets": [name]})
            return "session" in answer and bool(self.post("session/close", {"session": answer["session"]}))
        self.assertFalse(opens("mail"))
        self.reload(secrets="secrets: {mail: {value: abcdefgh, where: anywhere}}\n")
        self.assertTrue(opens("mail"))
        self.reload(secrets="secrets: {mail: {}, other: {value: abcdefgh, where: anywhere}}\n", answer="stays as it was")
        self.assertTrue(opens("mail"))
        self.assertFalse(opens("other"))
        (self.daemon.folder / "config" / "handeye" / "secrets.yaml").unlink()
        self.reload()
        self.assertFalse(opens("mail"))

    def test_while_it_is_stopped_nothing_is_opened(self):
        session = self.start_session()
        lease = self.ask("lease", "acquire", session)["lease"]
        task = self.post("task/run", {"session": session, "goal": GOAL})["task"]  # it waits for the lease
        self.assertRegex(self.run_it("stop"), "^stopped 1 task;")
        self.ask("task", "wait", task, code=3)
        self.addCleanup(self.run_it, "reset-stop")
        self.run_it("lease", "release", session, lease)
        before = self.post("session/list", {})["sessions"]
        self.assertIn("handeye reset-stop", self.run_both("run", GOAL, "--headless", "336x224", code=3)[1])
        self.assertEqual([one["session"] for one in self.post("session/list", {})["sessions"]], [one["session"] for one in before])
        self.assertRegex(self.run_it("stop"), "^stopped 0 tasks;")
        self.assertIn("handeye sessions close ID", self.run_it("sessions"))


def run_side_by_side(cases, threads):
    """Most of what these do is waiting for screens; whether all went well."""
    def run_one(case):
        result = unittest.TestResult()
        begin = time.monotonic()
        case.run(result)
        print(f"{'ok' if result.wasSuccessful() else 'FAILED'}  {case.id().partition('.')[2]}  {time.monotonic() - begin:.1f} s",
              *(trace for _, trace in result.failures + result.errors), sep="\n", flush=True)
        return result.wasSuccessful()
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        return all([*pool.map(run_one, cases)])


def main():
    Case.start_daemon()
    try:
        load = unittest.defaultTestLoader.loadTestsFromTestCase
        return 0 if all([run_side_by_side(load(SideBySide), 4), run_side_by_side(load(Alone), 1)]) else 1
    finally:
        Case.daemon.__exit__()


if __name__ == "__main__":
    BINARIES = sys.argv.pop(1)
    for program in ("Xvfb", "openbox", "curl"):
        if not shutil.which(program):
            print(f"skipped: no {program}")
            sys.exit(77)
    sys.exit(main())
