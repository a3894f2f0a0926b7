# SPDX-License-Identifier: Apache-2.0
"""The quickstart's task with the model on a server: `handeye serve`, two of them of which one is killed in the middle of an answer, through
the daemon, and (with HANDEYE_FULL) through a server that is not ours.

Arguments: the folder of the programs. HANDEYE_TRANSFORMERS_PYTHON: a Python with transformers[serving]; its test is left out without.
"""
import json
import os
import pathlib
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
NANO = ROOT / "models" / "nano"
FORM = ROOT / "examples" / "form_app"
GOAL = "Set Name to Ada, tick Agree and click Save."
WAIT_S = 180
BINARIES = ""
KEY = "key-of-this-test"


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        for name in ("run", "state", "cache", "config"):
            (self.folder / name).mkdir(mode=0o700)
        self.environment = {**os.environ, "XDG_RUNTIME_DIR": str(self.folder / "run"), "XDG_STATE_HOME": str(self.folder / "state"), "XDG_CACHE_HOME": str(self.folder / "cache"),
                            "XDG_CONFIG_HOME": str(self.folder / "config")}
        self.environment.pop("HANDEYE_MODEL", None)

    def start(self, *words, log, **environment):
        handle = open(self.folder / log, "w+b")
        self.addCleanup(handle.close)
        process = subprocess.Popen([str(word) for word in words], env={**self.environment, **environment}, stdout=subprocess.PIPE, stderr=handle, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(self.end, process)
        return process

    @staticmethod
    def end(process):
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(WAIT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def serve(self, name, **environment):
        server = self.start(BINARIES / "handeye", "serve", NANO, "--served-model-name", "tiny", "--port", "0", "--threads", "1", "--json", log=name, **environment)
        line = server.stdout.readline()
        self.assertTrue(line, (self.folder / name).read_text())
        return server, json.loads(line)["url"]

    def run_task(self, *words, code=0, **environment):
        """What the form received, and what was said."""
        got = self.folder / "got.json"
        got.unlink(missing_ok=True)
        launch = shlex.join([str(BINARIES / "handeye-form-app"), str(FORM / "spec.json"), str(got)])
        done = subprocess.run([str(BINARIES / "handeye"), "run", GOAL, "--headless", "336x224", "--launch", launch, "--json", *map(str, words)], env={**self.environment, **environment},
                              capture_output=True, text=True, timeout=WAIT_S)
        self.assertEqual(done.returncode, code, done.stdout[-2000:] + done.stderr)
        if code == 0:
            self.assertEqual(got.read_text(), (FORM / "want.json").read_text())
        return done


class Proxy:
    """Passes connections on to a server, and cuts the `question`th chat off behind its `event`th event, after calling `on_cut`."""

    def __init__(self, url, question, event, on_cut):
        self.target = ("127.0.0.1", int(url.removesuffix("/v1").rsplit(":", 1)[1]))
        self.question, self.event, self.on_cut = question, event, on_cut
        self.chats = 0
        self.was_cut = False
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}/v1"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        try:
            server = socket.create_connection(self.target)
        except OSError:
            client.close()
            return
        first = client.recv(65536)
        is_marked = False
        port = self.listener.getsockname()[1]
        server.sendall(first.replace(f"Host: 127.0.0.1:{port}".encode(), f"Host: 127.0.0.1:{self.target[1]}".encode(), 1))  # else it hears no web pages
        threading.Thread(target=self.pump, args=(client, server), daemon=True).start()
        seen = b""
        while data := self.receive(server):
            if not seen and first.startswith(b"POST") and data.startswith(b"HTTP/1.1 200"):
                self.chats += 1  # those that are answered, not those that are refused for a field
                is_marked = self.chats == self.question
            seen += data
            if is_marked and seen.count(b"data: ") >= self.event:
                at = -1
                for _ in range(self.event):
                    at = seen.index(b"data: ", at + 1)
                client.sendall(data[:max(0, len(data) - (len(seen) - at))])
                self.on_cut()
                self.was_cut = True
                break
            client.sendall(data)
        for one in (client, server):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            one.close()

    @staticmethod
    def receive(one):
        try:
            return one.recv(65536)
        except OSError:
            return b""

    def pump(self, source, target):
        while data := self.receive(source):
            try:
                target.sendall(data)
            except OSError:
                return
        try:
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self):
        self.listener.close()


class OurServer(Case):
    def test_the_quickstart_task_through_handeye_serve(self):
        _, url = self.serve("serve", HANDEYE_API_KEY=KEY)
        said = self.run_task("--model", url, HANDEYE_API_KEY=KEY)
        opened = next(json.loads(line) for line in said.stdout.splitlines() if '"session.opened"' in line)
        model = opened["data"]["model"]
        self.assertEqual((model["name"], model["family"], model["weight_format"]), ("tiny", "remote", "handeye"))
        self.assertEqual(opened["data"].get("prompt"), "compact", "the server tells it: the name does not")
        self.assertNotIn(KEY, said.stdout + said.stderr)
        with self.subTest("a wrong key is told, and not repeated"):
            wrong = self.run_task("--model", url, code=3, HANDEYE_API_KEY="wrong-key-of-this-test")
            self.assertIn("does not take the API key (401)", wrong.stderr)
            self.assertNotIn("wrong-key-of-this-test", wrong.stderr)
        with self.subTest("a key from a file, which must be private"):
            path = self.folder / "key"
            path.write_text(KEY + "\n")
            path.chmod(0o644)
            self.assertIn("others may read it", self.run_task("--model", url, "--api-key-file", path, code=3).stderr)
            path.chmod(0o600)
            self.run_task("--model", url + "#tiny", "--api-key-file", path)
        with self.subTest("a model that is not served"):
            self.assertIn('it does not serve "huge"; it serves tiny', self.run_task("--model", url + "#huge", code=2, HANDEYE_API_KEY=KEY).stderr)

    def test_one_of_two_servers_is_killed_in_the_middle_of_an_answer(self):
        first, first_url = self.serve("first")
        second, second_url = self.serve("second")

        def kill():
            first.send_signal(signal.SIGKILL)
            first.wait(WAIT_S)

        proxy = Proxy(first_url, question=2, event=5, on_cut=kill)
        self.addCleanup(proxy.close)
        said = self.run_task("--model", proxy.url, "--model", second_url)
        self.assertTrue(proxy.was_cut, f"{proxy.chats} chats: {said.stderr}")
        self.assertEqual(first.returncode, -signal.SIGKILL)
        self.assertIn("is asked no more for a while", said.stderr)
        kinds = [json.loads(line)["type"] for line in said.stdout.splitlines()]
        self.assertNotIn("action.not_recognised", kinds)
        with self.subTest("when both are gone, each is named"):
            second.send_signal(signal.SIGKILL)
            second.wait(WAIT_S)
            gone = self.run_task("--model", f"{first_url},{second_url}", code=5)
            for url in (first_url, second_url):
                self.assertIn(url.removesuffix("/v1"), gone.stderr)

    def test_the_daemon_waits_for_its_server_and_asks_it(self):
        with socket.create_server(("127.0.0.1", 0)) as reserved:
            port = reserved.getsockname()[1]
        (self.folder / "config" / "handeye").mkdir(mode=0o700)
        config = self.folder / "config" / "handeye" / "config.yaml"
        config.write_text(f"model: [http://127.0.0.1:{port}/v1#tiny]\nremote: {{connect_timeout_s: 5, api_key_env: MY_KEY}}\n")
        config.chmod(0o600)
        daemon = self.start(BINARIES / "handeyed", log="daemon", MY_KEY=KEY)
        self.start(BINARIES / "handeye", "serve", NANO, "--served-model-name", "tiny", "--port", port, "--threads", "1", log="serve", HANDEYE_API_KEY=KEY)
        end = time.monotonic() + WAIT_S
        while not (self.folder / "run" / "handeye" / "handeyed.sock").exists():
            self.assertIsNone(daemon.poll(), (self.folder / "daemon").read_text())
            self.assertLess(time.monotonic(), end)
            time.sleep(0.05)
        variables = pathlib.Path(f"/proc/{daemon.pid}/environ").read_bytes() if os.access(f"/proc/{daemon.pid}/environ", os.R_OK) else b""
        self.assertNotIn(KEY.encode(), variables, "programs that the daemon starts do not inherit it")
        said = self.run_task("--daemon", f"unix:{self.folder}/run/handeye/handeyed.sock")
        self.assertIn('"remote"', said.stdout)
        self.assertNotIn(KEY, (self.folder / "daemon").read_text())

    def test_other_commands_say_that_they_need_a_checkpoint(self):
        for words in (("bench", "engine"), ("serve",), ("models", "plan")):
            model = ["http://127.0.0.1:1/v1"] if words == ("models", "plan") else ["--model", "http://127.0.0.1:1/v1"]
            done = subprocess.run([str(BINARIES / "handeye"), *words, *model], env=self.environment, capture_output=True, text=True, timeout=WAIT_S)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn("is a model on a server", done.stderr)
        for more, words in ((("--adapter", "/x"), "--adapter is for a model that is loaded here"), ((), "screenshot would cross the network in the clear")):
            done = subprocess.run([str(BINARIES / "handeye"), "run", GOAL, "--in-process", "--model", "http://192.0.2.1:8000/v1", *more], env=self.environment, capture_output=True, text=True, timeout=WAIT_S)
            self.assertIn(words, done.stderr)
            self.assertIn(done.returncode, (2, 3))

    def test_a_task_file_does_not_choose_who_sees_the_screen(self):
        path = self.folder / "task.yaml"
        path.write_text("version: 1\nname: t\nmodel: http://127.0.0.1:1/v1\nsteps:\n  - goal: Click Save.\n")
        done = subprocess.run([str(BINARIES / "handeye"), "run", str(path), "--headless", "336x224"], env=self.environment, capture_output=True, text=True, timeout=WAIT_S)
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertIn("which would get every screenshot: say it yourself with --model", done.stderr)


@unittest.skipUnless(os.environ.get("HANDEYE_FULL") and os.environ.get("HANDEYE_TRANSFORMERS_PYTHON"), "HANDEYE_FULL and HANDEYE_TRANSFORMERS_PYTHON, a Python with transformers[serving]")
class ForeignServer(Case):
    """`transformers serve` leaves special tokens out of its text, all of nano's tags among them, unless the tokenizer has a response_template: a copy of the
    checkpoint gets one. Weights and everything else are the same files."""

    def checkpoint(self):
        folder = self.folder / "nano"
        folder.mkdir()
        for path in NANO.iterdir():
            if path.is_file():
                (folder / path.name).symlink_to(path)
        config = json.loads((NANO / "tokenizer_config.json").read_text())
        config["response_template"] = {"defaults": {"role": "assistant"}, "start_anchor": "<|assistant|>\n",
                                       "fields": {"reasoning_content": {"open": "<think>", "close": "</think>", "content": "text"},
                                                  "content": {"close_pattern": r"<\|endoftext\|>|<\|user\|>|<\|observation\|>", "content": "text"}}}
        (folder / "tokenizer_config.json").unlink()
        (folder / "tokenizer_config.json").write_text(json.dumps(config))
        return folder

    def test_the_quickstart_task_through_transformers_serve(self):
        folder = self.checkpoint()
        with socket.create_server(("127.0.0.1", 0)) as reserved:
            port = reserved.getsockname()[1]
        (self.folder / "hub").mkdir()
        program = "import sys; from transformers.cli.transformers import main; sys.argv[0] = 'transformers'; main()"
        server = self.start(os.environ["HANDEYE_TRANSFORMERS_PYTHON"], "-c", program, "serve", folder, "--host", "127.0.0.1", "--port", port, "--device", "cpu", log="transformers",
                            HF_HUB_OFFLINE="1", HF_HUB_CACHE=str(self.folder / "hub"), CUDA_VISIBLE_DEVICES="")
        end = time.monotonic() + WAIT_S
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5).close()
                break
            except (urllib.error.URLError, OSError):
                self.assertIsNone(server.poll(), (self.folder / "transformers").read_text()[-2000:])
                self.assertLess(time.monotonic(), end)
                time.sleep(0.2)
        said = self.run_task("--model", f"http://127.0.0.1:{port}/v1#{folder}", "--prompt", "compact")
        self.assertIn('it takes no "skip_special_tokens" and is asked without', said.stderr)
        print(said.stdout.splitlines()[-1])


if __name__ == "__main__":
    BINARIES = pathlib.Path(sys.argv.pop(1))
    unittest.main()
