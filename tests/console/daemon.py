# SPDX-License-Identifier: Apache-2.0
"""A real handeyed with the bundled model, in folders of its own, and the ticket for its console."""
import json
import os
import pathlib
import shlex
import shutil
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
READY_S = 60


class Daemon:
    def __init__(self, binaries, model=ROOT / "models" / "nano"):
        self.bin = pathlib.Path(binaries)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="handeye-console-"))
        self.environment = {**os.environ, "XDG_RUNTIME_DIR": str(self.folder), "XDG_STATE_HOME": str(self.folder / "state"),
                            "XDG_CONFIG_HOME": str(self.folder / "config")}
        self.log = open(self.folder / "log", "w+b")
        self.process = subprocess.Popen([self.bin / "handeyed", "--model", model], env=self.environment, stdout=self.log, stderr=self.log)
        socket = self.folder / "handeye" / "handeyed.sock"
        deadline = time.monotonic() + READY_S
        while not socket.exists():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"handeyed did not start: {self.said()}")
            time.sleep(0.02)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(timeout=30)
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def said(self):
        self.log.flush()
        return (self.folder / "log").read_text(errors="replace")

    def pass_(self):
        """What `handeye console` got: url, port, ticket."""
        done = subprocess.run([self.bin / "handeye", "console", "--json"], env=self.environment, stdout=subprocess.PIPE, check=True)
        return json.loads(done.stdout)

    def form_command(self, title, answer):
        """A command line for session.create's `launch`: the example form under this window title."""
        spec = json.loads((ROOT / "examples/form_app/spec.json").read_text())
        spec["title"] = title
        path = self.folder / f"{answer}.spec"
        path.write_text(json.dumps(spec))
        return shlex.join([str(self.bin / "handeye-form-app"), str(path), str(self.folder / answer)])

    def wait_answer(self, name):
        """What the form holds once a button was pressed."""
        deadline = time.monotonic() + READY_S
        while not self.clicked(name) and time.monotonic() < deadline:
            time.sleep(0.02)
        return self.answer(name)

    def clicked(self, name):
        """The buttons of the form that were pressed."""
        return (self.answer(name) or {}).get("clicked", [])

    def answer(self, name):
        """What the form holds; None before it is there."""
        path = self.folder / name
        return json.loads(path.read_text()) if path.exists() else None
