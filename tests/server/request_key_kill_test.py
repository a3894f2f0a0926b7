# SPDX-License-Identifier: Apache-2.0
"""kill -9 at random moments while calls with request keys run, and the same calls again in the next life (R16).

Every click goes to a place of its own on a display that outlives the daemon, so the X server's own log says how often each call
acted: never twice. A call that was answered gets that answer again; the one that the kill cut off is `outcome_unknown`, or had
not begun. Arguments: the folder of handeyed and event_log_app. Skipped (77) without Xvfb.
"""
import collections
import http.client
import json
import os
import pathlib
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

SIDE = 1000
PATIENCE_S = 30
CLIENTS = 3


class OverUnixSocket(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=PATIENCE_S)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(PATIENCE_S)
        self.sock.connect(self.path)


class Daemon:
    def __init__(self, binaries, root):
        self.path = root / "run" / "d.sock"
        environment = {**os.environ, "XDG_STATE_HOME": str(root / "state"), "XDG_CONFIG_HOME": str(root / "config")}
        self.log = open(root / "log", "ab")
        self.process = subprocess.Popen([binaries / "handeyed", "--listen", f"unix:{self.path}", "--model", root / "none"], env=environment,
                                        stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        deadline = time.monotonic() + PATIENCE_S
        while self.post("connection.info", {}) is None:
            assert self.process.poll() is None and time.monotonic() < deadline, (root / "log").read_text()
            time.sleep(0.01)

    def post(self, method, params):
        """The answer; None when the daemon was not there to the end."""
        connection = OverUnixSocket(self.path)
        try:
            connection.request("POST", "/v1/" + method.replace(".", "/"), json.dumps(params), {"Content-Type": "application/json"})
            return json.loads(connection.getresponse().read())
        except (ConnectionError, FileNotFoundError, http.client.HTTPException, ValueError):
            return None
        finally:
            connection.close()

    def end(self, how):
        how(self.process)
        self.process.wait(timeout=PATIENCE_S)
        self.log.close()


class Screen:
    """An Xvfb with a window over all of it that writes down every event."""

    def __init__(self, binaries, root):
        read, write = os.pipe()
        self.server = subprocess.Popen(["Xvfb", "-displayfd", str(write), "-screen", "0", f"{SIDE}x{SIDE}x24", "-nolisten", "tcp"], pass_fds=[write],
                                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(write)
        with os.fdopen(read) as number:
            self.name = ":" + number.readline().strip()
        self.path = root / "events"
        self.window = subprocess.Popen([binaries / "event_log_app", self.path], env={**os.environ, "DISPLAY": self.name})
        deadline = time.monotonic() + PATIENCE_S
        while not self.path.exists() or not self.path.read_text().startswith("ready"):
            assert time.monotonic() < deadline, "the window did not come"
            time.sleep(0.01)

    def presses(self):
        """How often a button went down at each place."""
        lines = [line.split() for line in self.path.read_text().splitlines()]
        return collections.Counter((int(line[2]), int(line[3])) for line in lines if len(line) == 4 and line[0] == "press")

    def end(self):
        for process in (self.window, self.server):
            process.kill()
            process.wait()


def kind_of(answer):
    return answer.get("error", {}).get("data", {}).get("kind", "")


class Round:
    """One life of the daemon, and the look back from the next."""

    def __init__(self, number):
        self.number = number
        self.calls = []  # (method, params, answer or None)
        self.lock = threading.Lock()

    def click(self, daemon, session, places):
        """Until the daemon is gone."""
        while True:
            with self.lock:
                x, y = places.pop()
            params = {"session": session, "action": {"verb": "click", "x": x, "y": y}, "request_key": f"click {x} {y}"}
            answer = daemon.post("input.act", params)
            with self.lock:
                self.calls.append(("input.act", params, answer))
            if answer is None:
                return

    def live(self, daemon, display, places, seconds):
        create = {"platform": "x11", "target": {"display": display}, "request_key": f"session {self.number}"}
        opened = daemon.post("session.create", create)
        self.calls.append(("session.create", create, opened))
        clients = [threading.Thread(target=self.click, args=(daemon, opened["session"], places)) for _ in range(CLIENTS)]
        for client in clients:
            client.start()
        time.sleep(seconds)  # the random moment
        daemon.end(subprocess.Popen.kill)
        for client in clients:
            client.join(PATIENCE_S)
            assert not client.is_alive(), "a client waits for a dead daemon"

    def look_back(self, daemon, screen, totals):
        again = [(params, first, daemon.post(method, params)) for method, params, first in self.calls]
        presses = screen.presses()
        for params, first, answer in again:
            assert answer is not None, params
            done = presses[(params["action"]["x"], params["action"]["y"])] if "action" in params else None
            assert done is None or done <= 1, f"{params} was performed {done} times"
            if first is not None:
                assert answer == first, (params, first, answer)
                assert done is None or done == (answer.get("certainty") != "refused"), (params, answer, done)
                totals["answered as before"] += 1
            elif kind_of(answer) == "outcome_unknown":
                totals["unknown"] += 1
                totals["unknown, and was done"] += done or 0
            elif kind_of(answer):  # the key was not on the disk yet; its session is gone
                assert kind_of(answer) == "no_such_session" and not done, (params, answer, done)
                totals["not begun"] += 1
            else:  # done and kept, only the answer was lost on its way
                assert done == 1, (params, answer, done)
                totals["done"] += 1


def main(binaries):
    if not shutil.which("Xvfb"):
        print("skipped: no Xvfb")
        return 77
    seed = int(os.environ.get("HANDEYE_SEED", time.time_ns() % 2**32))
    rounds = 200 if os.environ.get("HANDEYE_FULL") else 4
    print(f"seed {seed}", flush=True)
    chance = random.Random(seed)
    places = [(x, y) for x in range(5, SIDE - 5) for y in range(5, SIDE - 5, 7)]
    totals = collections.Counter()
    with tempfile.TemporaryDirectory(prefix="handeye-keys-") as folder:
        root = pathlib.Path(folder)
        screen = Screen(binaries, root)
        daemon = Daemon(binaries, root)
        try:
            for number in range(rounds):
                life = Round(number)
                life.live(daemon, screen.name, places, chance.uniform(0, 0.8))
                daemon = Daemon(binaries, root)
                life.look_back(daemon, screen, totals)
                totals["calls"] += len(life.calls)
            sessions = len(list((root / "state").rglob("*.handeye")))
            assert sessions == rounds, f"{sessions} sessions for {rounds} keys"
        finally:
            daemon.end(subprocess.Popen.kill)
            screen.end()
    print(f"{rounds} kills: " + ", ".join(f"{count} {what}" for what, count in totals.items()))
    assert totals["answered as before"] > rounds
    return 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1])))
