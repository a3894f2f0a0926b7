# SPDX-License-Identifier: Apache-2.0
"""`handeye serve` with the bundled model, asked as OpenAI's clients ask: whole answers and streams, a real picture, limits, errors.

Arguments: the folder of the programs.
"""
import base64
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import unittest
import urllib.error
import urllib.request
import zlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
NANO = ROOT / "models" / "nano"
CHATGLM = ROOT / "tests" / "golden" / "engine" / "chatglm-f32"
FORM = NANO / "eval" / "golden" / "form-01"
WAIT_S = 120
KEY = "a key of this test"
BINARIES = ""


class Server:
    def __init__(self, folder, *words, environment=None):
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "XDG_CONFIG_HOME": str(folder / "config"), "XDG_DATA_HOME": str(folder / "data"),
                            "XDG_CACHE_HOME": str(folder / "cache"), **(environment or {})}
        self.log = open(folder / "log", "w+b")
        self.process = subprocess.Popen([BINARIES / "handeye", "serve", *words, "--port", "0", "--threads", "1", "--json"], env=self.environment,
                                        stdout=subprocess.PIPE, stderr=self.log, text=True)
        line = self.process.stdout.readline()
        if not line:
            self.process.wait(WAIT_S)
            raise RuntimeError((folder / "log").read_text())
        self.said = json.loads(line)
        self.port = int(self.said["url"].removesuffix("/v1").rsplit(":", 1)[1])

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(WAIT_S)
        self.process.stdout.close()
        self.log.close()
        return code


def question(**more):
    picture = base64.b64encode((FORM / "frame.png").read_bytes()).decode()
    content = [{"type": "text", "text": (FORM / "prompt.txt").read_text()}, {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{picture}"}}]
    return {"model": "tiny", "messages": [{"role": "user", "content": content}], "temperature": 0, **more}


def png(width, height):
    """The header of one with 1 bit a pixel, and hardly any pixels."""
    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(b"\0\0")) + chunk(b"IEND", b"")


class Case(unittest.TestCase):
    """All cases share one server: a model that is known by name and lies in its place."""

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        spec = {"format": "pytorch", "size_in_billions": 0.008, "quantizations": ["none"], "engines": "", "model_id": "me/tiny", "hubs": {"huggingface": "me/tiny"}}
        registry = {"models": [{"name": "tiny", "context_length": 4096, "languages": ["en"], "abilities": ["chat", "vision"], "specs": [spec]}]}
        (cls.folder / "config" / "handeye").mkdir(parents=True)
        (cls.folder / "config" / "handeye" / "registry.json").write_text(json.dumps(registry))
        place = cls.folder / "data" / "handeye" / "models" / "tiny" / "0.008B-pytorch-none"
        place.parent.mkdir(parents=True)
        place.symlink_to(NANO)
        cls.server = Server(cls.folder, "tiny", "--size-in-billions", "0.008", "--model-format", "pytorch", "--quantization", "none", "--max-body-bytes", "200000",
                            environment={"HANDEYE_API_KEY": KEY})
        cls.addClassCleanup(lambda: cls.server.stop())

    def ask(self, path, body=None, status=200, key=KEY, headers=None, raw=False):
        fields = {"Content-Type": "application/json", **({"Authorization": f"Bearer {key}"} if key else {}), **(headers or {})}
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.server.port}{path}", data=data, headers=fields)
        try:
            with urllib.request.urlopen(request, timeout=WAIT_S) as answer:
                code, text = answer.status, answer.read()
        except urllib.error.HTTPError as problem:
            code, text = problem.code, problem.read()
        self.assertEqual(code, status, text)
        return text if raw else json.loads(text)

    def chat(self, **more):
        return self.ask("/v1/chat/completions", question(**more))

    def refused(self, body, status=400, **more):
        error = self.ask("/v1/chat/completions", body, status, **more)["error"]
        self.assertEqual(set(error), {"message", "type", "param", "code"})
        return error

    def events(self, **more):
        text = self.ask("/v1/chat/completions", question(stream=True, **more), raw=True).decode()
        lines = [line.removeprefix("data: ") for line in text.split("\n\n") if line]
        self.assertEqual(lines[-1], "[DONE]")
        return [json.loads(line) for line in lines[:-1]]


class Answers(Case):
    reasoning, content = re.fullmatch(r"<think>(.*)</think>(.*)<\|user\|>", (FORM / "answer.txt").read_text()).groups()

    def test_the_reference_answer_about_a_real_picture(self):
        answer = self.chat()
        self.assertEqual(answer["object"], "chat.completion")
        self.assertEqual(answer["model"], "tiny")
        self.assertEqual(answer["choices"], [{"index": 0, "message": {"role": "assistant", "content": self.content, "reasoning_content": self.reasoning}, "logprobs": None,
                                              "finish_reason": "stop"}])
        usage = answer["usage"]
        ids = (FORM / "ids").read_text().splitlines()
        self.assertEqual(usage["prompt_tokens"], len(ids[0].split()))
        self.assertIn(usage["completion_tokens"], (len(ids[1].split()), len(ids[1].split()) - 1))  # the stop id is not text
        self.assertEqual(usage["total_tokens"], usage["prompt_tokens"] + usage["completion_tokens"])

    def test_a_stream_says_the_same_in_pieces(self):
        events = self.events(stream_options={"include_usage": True})
        self.assertEqual({event["object"] for event in events}, {"chat.completion.chunk"})
        self.assertEqual(len({event["id"] for event in events}), 1)
        deltas = [event["choices"][0]["delta"] for event in events[:-1]]
        self.assertEqual(deltas[0], {"role": "assistant", "content": ""})
        self.assertGreater(len(deltas), 5)
        self.assertEqual("".join(delta.get("content", "") for delta in deltas), self.content)
        self.assertEqual("".join(delta.get("reasoning_content", "") for delta in deltas), self.reasoning)
        self.assertEqual(events[-2]["choices"][0]["finish_reason"], "stop")
        self.assertEqual(events[-1]["choices"], [])
        self.assertGreater(events[-1]["usage"]["completion_tokens"], 5)

    def test_limits_of_an_answer(self):
        short = self.chat(max_tokens=2)
        self.assertEqual((short["choices"][0]["finish_reason"], short["usage"]["completion_tokens"]), ("length", 2))
        for stopped in (self.chat(stop=["start_box", "nowhere"])["choices"][0]["message"]["content"],
                        "".join(event["choices"][0]["delta"].get("content", "") for event in self.events(stop="start_box"))):
            self.assertEqual(stopped, self.content[:self.content.index("start_box")])

    def test_a_seed_repeats_and_others_differ(self):
        words = {"temperature": 2, "max_tokens": 24}
        said = [[self.chat(seed=seed, **words)["choices"][0]["message"] for _ in range(2)] for seed in (1, 2, 3)]
        # How much of the prompt is computed anew decides in what order sums are added: once in a long while a sample changes with it.
        self.assertGreaterEqual(sum(first == again for first, again in said), 2, said)
        self.assertEqual(len({json.dumps(first) for first, _ in said}), 3)
        free = {json.dumps(self.chat(**words)["choices"][0]["message"]) for _ in range(3)}
        self.assertGreater(len(free), 1)

    def test_what_it_is(self):
        self.assertEqual(self.ask("/health", key=None)["status"], "ready")
        models = self.ask("/v1/models")
        self.assertEqual([(row["id"], row["max_model_len"]) for row in models["data"]], [("tiny", 4096)])
        self.assertEqual(self.server.said["model"], "tiny")

    def test_one_connection_takes_several_requests(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=WAIT_S)
        self.addCleanup(connection.close)
        socket = None
        for _ in range(3):
            connection.request("POST", "/v1/chat/completions", json.dumps(question(max_tokens=1)), {"Content-Type": "application/json", "Authorization": f"Bearer {KEY}"})
            answer = connection.getresponse()
            self.assertEqual((answer.status, json.loads(answer.read())["choices"][0]["finish_reason"]), (200, "length"))
            self.assertIn(socket, (None, connection.sock))
            socket = connection.sock

    def test_a_client_that_goes_away_stops_nobody_else(self):
        for _ in range(3):
            connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=WAIT_S)
            connection.request("POST", "/v1/chat/completions", json.dumps(question(stream=True, temperature=2)), {"Content-Type": "application/json", "Authorization": f"Bearer {KEY}"})
            connection.getresponse().read(10)
            connection.close()
        self.assertEqual(self.chat()["choices"][0]["message"]["content"], self.content)


class Refusals(Case):
    def test_keys(self):
        for key in (None, "wrong", KEY + "x", ""):
            self.assertEqual(self.refused(question(), 401, key=key)["code"], "invalid_api_key")
        self.ask("/v1/models", status=401, key=None)

    def test_requests(self):
        wrong = self.refused(question(model="gpt-4"), 404)
        self.assertEqual((wrong["code"], wrong["message"]), ("model_not_found", 'the model "gpt-4" is not served here; "model" may be "tiny"'))
        self.assertEqual(self.refused(question(chat_template_kwargs={"thinking": False}))["param"], "chat_template_kwargs.thinking")
        self.assertEqual(self.refused(question(tools=[{"type": "function"}]))["param"], "tools")
        self.assertEqual(self.refused(question(temperature=7))["param"], "temperature")
        self.assertIn("no JSON", self.refused(b"{")["message"])
        self.refused(question(), 415, headers={"Content-Type": "text/plain"})
        self.ask("/v1/completions", {}, 400)
        self.ask("/v1/embeddings", {}, 404)
        self.ask("/v1/chat/completions", status=405)
        self.ask("/v1/models", {}, 405)

    def test_pictures(self):
        def with_url(url):
            return question(messages=[{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}])
        broken = (FORM / "frame.png").read_bytes()[:200]
        self.assertEqual(self.refused(with_url("data:image/png;base64," + base64.b64encode(broken).decode()))["param"], "messages[0].content[0].image_url")
        wide = png(8000, 8000)
        much = question(messages=[{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64," + base64.b64encode(wide).decode()}}] * 2}])
        self.assertIn("384000000 bytes when they are decoded; the limit for one request is 268435456", self.refused(much)["message"])
        for url in ("http://127.0.0.1/x.png", "file:///etc/passwd", "data:text/html;base64,QUJD", "data:image/png;base64,%%%"):
            self.refused(with_url(url))

    def test_sizes(self):
        long = question(messages=[{"role": "user", "content": "word " * 30_000}])
        self.assertEqual(self.refused(long)["code"], "context_length_exceeded")
        self.refused(question(messages=[{"role": "user", "content": "x" * 300_000}]), 413)

    def test_no_body_is_waited_for_that_nobody_may_send(self):
        key = f"Authorization: Bearer {KEY}\r\n"
        json_type = "Content-Type: application/json\r\n"
        long = "Content-Length: 100000\r\n"
        chat = "POST /v1/chat/completions"
        for line, fields, status in (("POST /health", long, 405), ("POST /nowhere", long, 404), (chat, json_type + long, 401), ("GET /health", long, 400), ("PUT /v1/models", key + long, 405),
                                     ("GET /health", "Transfer-Encoding: chunked\r\n", 400), (chat, key + long, 415), (chat, key + json_type + "Content-Length: 200001\r\n", 413),
                                     (chat, json_type + "Content-Length: 200001\r\n", 401)):
            with self.subTest(line=line, fields=fields), socket.create_connection(("127.0.0.1", self.server.port), timeout=WAIT_S) as wire:
                wire.sendall(f"{line} HTTP/1.1\r\nHost: here\r\n{fields}\r\n".encode())  # and nothing of the body
                answer = http.client.HTTPResponse(wire)
                answer.begin()
                self.assertEqual((answer.status, answer.getheader("Connection")), (status, "close"))

    def test_what_is_no_http(self):
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=WAIT_S) as line:
            line.sendall(b"HELO me\r\n\r\n")
            self.assertIn(b" 400 ", line.recv(4096))


class Places(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)

    def fail_to_serve(self, *words, code=2):
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder)}
        done = subprocess.run([BINARIES / "handeye", "serve", *words], env=environment, capture_output=True, text=True, timeout=WAIT_S, check=False)
        self.assertEqual(done.returncode, code, done.stderr)
        return done.stderr

    def test_a_model_that_is_not_here(self):
        self.assertIn("handeye models pull glm4-0414:ggufv2:Q4_K_M --size-in-billions 32",
                      self.fail_to_serve("glm4-0414", "--size-in-billions", "32", "--model-format", "gguf", "--quantization", "q4_k_m"))
        self.assertIn("handeye models pull glm-4.1v-thinking:pytorch:none", self.fail_to_serve("--model", "glm-4.1v-thinking"))
        self.assertIn("did you mean \"glm-4.5v\"?", self.fail_to_serve("glm-4.5"))
        self.assertIn("handeye models pull glm4-chat-1m:pytorch:4-bit", self.fail_to_serve("glm4-chat-1m:pytorch:4-bit"))

    def test_a_name_may_say_that_sixteen_bits_are_packed_while_they_load(self):
        shutil.copytree(CHATGLM, self.folder / "data/handeye/models/glm4-chat-1m/9B-pytorch-none")
        for words in (["glm4-chat-1m:pytorch:4-bit"], ["glm4-chat-1m", "--quantization", "4-bit"]):
            server = Server(self.folder, *words)
            try:
                body = json.dumps({"model": server.said["model"], "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 2}).encode()
                request = urllib.request.Request(f"{server.said['url']}/chat/completions", data=body, headers={"Content-Type": "application/json"})
                with urllib.request.urlopen(request, timeout=WAIT_S) as answer:
                    self.assertEqual(json.load(answer)["usage"]["completion_tokens"], 2)
                self.assertEqual(server.said["weight_format"], "compressed-tensors-4bit")
            finally:
                server.stop()

    def test_rows_are_chosen_of_a_name(self):
        for words, what in ((("--model-format", "gptq"), "--model-format gptq chooses among the rows of a model, and no NAME was given"), (("--size-in-billions", "9"), "--size-in-billions 9 chooses"),
                            ((str(NANO), "--quantization", "none"), f"{NANO} is a checkpoint and is served as it is"), (("nano", "--model-format", "gguf"), "nano is the bundled model")):
            with self.subTest(words=words):
                self.assertIn(what, self.fail_to_serve(*words))

    def test_the_name_that_it_announces_is_one_that_it_takes(self):
        for words in ((), ("nano",)):
            server = Server(self.folder, *words)
            self.assertEqual(server.said["model"], "nano")
            self.assertEqual(server.stop(), 0)

    def test_beyond_this_machine_only_with_a_key(self):
        self.assertIn("say --api-key", self.fail_to_serve("--host", "0.0.0.0", "--port", "0", code=3))

    def test_without_a_key_no_web_page_is_heard(self):
        server = Server(self.folder)
        self.addCleanup(server.stop)
        for fields, status in (({"Host": "evil.example"}, 403), ({"Origin": "http://evil.example"}, 403), ({}, 200)):
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=WAIT_S)
            connection.request("GET", "/v1/models", headers=fields)
            self.assertEqual(connection.getresponse().status, status, fields)
            connection.close()

    def test_it_ends_in_good_order(self):
        self.assertEqual(Server(self.folder).stop(), 0)


if __name__ == "__main__":
    BINARIES = pathlib.Path(sys.argv.pop(1))
    unittest.main()
