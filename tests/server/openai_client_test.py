# SPDX-License-Identifier: Apache-2.0
"""The `openai` client from PyPI against `handeye serve` with the bundled model.

Arguments: the folder of the programs, the folder of the packages (tools/openai_client.sh). Skipped (77) where they are not.
"""
import base64
import concurrent.futures
import json
import os
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request
import zlib

BINARIES = pathlib.Path(sys.argv.pop(1))
sys.path.insert(0, sys.argv.pop(1))
try:
    import jsonschema
    import openai
except ImportError as problem:
    print(f"skipped: {problem}; tools/openai_client.sh fetches it")
    sys.exit(77)

ROOT = pathlib.Path(__file__).resolve().parents[2]
NANO = ROOT / "models" / "nano"
FORM = NANO / "eval" / "golden" / "form-01"
WAIT_S = 120
KEY = "a key of this test"
REASONING, CONTENT = re.fullmatch(r"<think>(.*)</think>(.*)<\|user\|>", (FORM / "answer.txt").read_text()).groups()
SCHEMA = {"type": "object", "properties": {"name": {"type": "string", "maxLength": 12}, "count": {"type": "integer", "minimum": 0, "maximum": 99}, "color": {"enum": ["red", "blue"]}},
          "required": ["name", "count", "color"], "additionalProperties": False}


def picture_url():
    return "data:image/png;base64," + base64.b64encode((FORM / "frame.png").read_bytes()).decode()


def form(url=None):
    content = [{"type": "text", "text": (FORM / "prompt.txt").read_text()}, {"type": "image_url", "image_url": {"url": url or picture_url()}}]
    return [{"role": "user", "content": content}]


def hello(text="Hello"):
    return [{"role": "user", "content": text}]


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.start("--allowed-local-media-path", cls.folder / "media", "--allowed-media-domains", "localhost", "--limit-mm-per-prompt", '{"image": 300}', "--max-num-seqs", "8")

    @classmethod
    def start(cls, *words):
        (cls.folder / "media").mkdir()
        shutil.copy(FORM / "frame.png", cls.folder / "media" / "frame.png")
        os.mkfifo(cls.folder / "media" / "fifo")
        os.symlink("/etc/passwd", cls.folder / "media" / "link.png")
        environment = {"PATH": os.environ["PATH"], "HOME": str(cls.folder), "HANDEYE_API_KEY": KEY}
        cls.log = open(cls.folder / "log", "w+b")
        cls.addClassCleanup(cls.log.close)
        cls.process = subprocess.Popen([BINARIES / "handeye", "serve", *words, "--port", "0", "--threads", "1", "--json"], env=environment, stdout=subprocess.PIPE, stderr=cls.log, text=True)
        cls.addClassCleanup(cls.end)
        line = cls.process.stdout.readline()
        if "url" not in line:
            cls.process.wait(WAIT_S)
            raise RuntimeError(line + (cls.folder / "log").read_text())
        cls.url = json.loads(line)["url"]
        cls.client = openai.OpenAI(base_url=cls.url, api_key=KEY, max_retries=0, timeout=WAIT_S)
        cls.addClassCleanup(cls.client.close)

    @classmethod
    def end(cls):
        cls.process.terminate()
        cls.process.wait(WAIT_S)
        cls.process.stdout.close()

    def chat(self, messages=None, **more):
        return self.client.chat.completions.create(model="nano", messages=messages or form(), **{"temperature": 0, "max_completion_tokens": 64, **more})

    def metric(self, name):
        with urllib.request.urlopen(self.url.removesuffix("/v1") + "/metrics", timeout=WAIT_S) as answer:
            return float(re.search(rf"^{name} (\S+)$", answer.read().decode(), re.MULTILINE).group(1))

    def post(self, path, body):
        request = urllib.request.Request(self.url.removesuffix("/v1") + path, json.dumps(body).encode(), {"Content-Type": "application/json", "Authorization": f"Bearer {KEY}"})
        with urllib.request.urlopen(request, timeout=WAIT_S) as answer:
            return json.load(answer)


class Answers(Case):
    def test_models(self):
        self.assertEqual([model.id for model in self.client.models.list()], ["nano"])
        self.assertEqual(self.client.models.retrieve("nano").id, "nano")
        with self.assertRaises(openai.NotFoundError):
            self.client.models.retrieve("gpt-4")

    def test_a_picture_whole_and_streamed(self):
        answer = self.chat()
        self.assertEqual((answer.choices[0].message.content, answer.choices[0].message.reasoning_content), (CONTENT, REASONING))
        self.assertEqual(answer.choices[0].finish_reason, "stop")
        chunks = list(self.chat(stream=True, stream_options={"include_usage": True}))
        self.assertEqual("".join(chunk.choices[0].delta.content or "" for chunk in chunks[:-1]), CONTENT)
        self.assertEqual("".join(getattr(chunk.choices[0].delta, "reasoning_content", None) or "" for chunk in chunks[:-1]), REASONING)
        self.assertEqual(chunks[-1].usage.prompt_tokens, answer.usage.prompt_tokens)
        self.assertEqual(chunks[-1].usage.completion_tokens, answer.usage.completion_tokens)

    def test_a_picture_from_the_allowed_folder(self):
        for url in (f"file://{self.folder}/media/frame.png", f"{self.folder}/media/frame.png", "frame.png"):
            self.assertEqual(self.chat(form(url)).choices[0].message.content, CONTENT, url)

    def test_a_video(self):
        film = ROOT / "tests" / "golden" / "media" / "clock-30.mp4"
        shutil.copy(film, self.folder / "media" / "clock.mp4")
        data = "data:video/mp4;base64," + base64.b64encode(film.read_bytes()).decode()

        def asked(url):
            return [{"role": "user", "content": [{"type": "video_url", "video_url": {"url": url}}, {"type": "text", "text": "What is it?"}]}]
        counts = [self.chat(asked(url), max_completion_tokens=1).usage.prompt_tokens for url in (data, f"file://{self.folder}/media/clock.mp4", "clock.mp4")]
        self.assertEqual(len(set(counts)), 1)
        self.assertGreater(counts[0], self.chat(hello("What is it?"), max_completion_tokens=1).usage.prompt_tokens + 20)
        for url, words in (("frame.png", ""), ("data:video/mp4;base64,AAAA", "")):
            with self.assertRaises(openai.BadRequestError) as caught:
                self.chat(asked(url))
            self.assertEqual(caught.exception.param, "messages[0].content[0].video_url", words)

    def test_chances_whole_and_streamed_say_the_same_and_are_of_the_content(self):
        whole = self.chat(logprobs=True, top_logprobs=3).choices[0]
        tokens = whole.logprobs.content
        self.assertEqual(b"".join(bytes(token.bytes) for token in tokens).decode(), CONTENT)
        for token in tokens:
            self.assertEqual(len(token.top_logprobs), 3)
            self.assertLessEqual(token.logprob, 0)
            self.assertEqual(token.top_logprobs[0].token, token.token)  # greedy
            self.assertGreaterEqual(token.top_logprobs[0].logprob, token.top_logprobs[1].logprob)
        streamed = [token for chunk in self.chat(logprobs=True, top_logprobs=3, stream=True) if chunk.choices[0].logprobs for token in chunk.choices[0].logprobs.content]
        self.assertEqual([token.token for token in streamed], [token.token for token in tokens])
        for one, other in zip(streamed, tokens, strict=True):
            self.assertAlmostEqual(one.logprob, other.logprob, places=4)

    def test_schemas_hold_at_any_temperature(self):
        for seed in range(4):
            text = self.chat(hello("Make one up."), temperature=1.5, seed=seed, max_completion_tokens=400, response_format={"type": "json_schema", "json_schema": {"name": "thing", "strict": True, "schema": SCHEMA}},
                             extra_body={"chat_template_kwargs": {"enable_thinking": False}}).choices[0].message.content
            value = json.loads(text)
            jsonschema.validate(value, SCHEMA)
            self.assertEqual(list(value), ["name", "count", "color"])  # in the schema's order
        for extra, pattern in (({"guided_regex": "[0-9]{3}-[a-f]{2}"}, "[0-9]{3}-[a-f]{2}"), ({"guided_choice": ["left", "right"]}, "left|right"), ({"structured_outputs": {"choice": ["up", "down"]}}, "up|down"),
                               ({"guided_grammar": 'root ::= "a" [0-9]{2,9} "z"'}, "a[0-9]{2,9}z"), ({"structured_outputs": {"regex": "x{2,4}"}}, "x{2,4}")):
            text = self.chat(hello("Say it."), temperature=1.5, seed=1, max_completion_tokens=200, extra_body=extra).choices[0].message.content
            self.assertRegex(text, f"^({pattern})$", extra)

    def test_json_object(self):
        answer = self.chat(hello("JSON please."), temperature=1, seed=3, max_completion_tokens=300, response_format={"type": "json_object"}).choices[0]
        if answer.finish_reason == "stop":
            self.assertIsInstance(json.loads(answer.message.content), dict)
        else:
            self.assertTrue(answer.message.content.startswith("{"))

    def test_several_choices(self):
        answer = self.chat(n=3, temperature=1.5, seed=7, max_completion_tokens=12)
        self.assertEqual([choice.index for choice in answer.choices], [0, 1, 2])
        alone = [self.chat(temperature=1.5, seed=7 + i, max_completion_tokens=12).choices[0].message for i in range(3)]
        self.assertEqual([choice.message for choice in answer.choices], alone)
        streamed = {0: "", 1: "", 2: ""}
        ends = []
        for chunk in self.chat(n=3, temperature=1.5, seed=7, max_completion_tokens=12, stream=True):
            choice = chunk.choices[0]
            streamed[choice.index] += (getattr(choice.delta, "reasoning_content", None) or "") + (choice.delta.content or "")
            ends += [choice.index] if choice.finish_reason else []
        self.assertEqual(sorted(ends), [0, 1, 2])
        self.assertEqual(list(streamed.values()), [(getattr(message, "reasoning_content", None) or "") + message.content for message in alone])

    def test_biases_and_penalties(self):
        token = self.post("/tokenize", {"prompt": "Click"})["tokens"][0]
        free = self.chat().choices[0].message.reasoning_content
        self.assertTrue(free.startswith("Click"))
        banned = self.chat(logit_bias={str(token): -100}).choices[0].message
        self.assertFalse((getattr(banned, "reasoning_content", None) or "").startswith("Click"), banned)
        endless = {"prompt": "a a a", "temperature": 0, "max_tokens": 40, "logit_bias": {str(i): -100 for i in self.stop_ids()}}
        plain, penalised = (self.client.completions.create(model="nano", logprobs=0, **endless, **more).choices[0].logprobs.tokens for more in ({}, {"frequency_penalty": 2, "presence_penalty": 2}))
        self.assertGreater(len(set(penalised)), len(set(plain)))  # of 40 tokens, fewer are the same
        self.assertEqual(self.chat(extra_body={"min_p": 1.0}, temperature=2, seed=5).choices[0].message, self.chat().choices[0].message)  # only the best is left

    def test_a_cancel_in_mid_stream_frees_the_model(self):
        stream = self.chat(hello("Tell me everything."), stream=True, temperature=2, max_completion_tokens=4000, logit_bias={str(i): -100 for i in self.stop_ids()})
        for _, _ in zip(stream, range(3)):
            pass
        stream.close()
        for _ in range(WAIT_S * 10):
            if self.metric("handeye_engine_running") == 0:
                break
            time.sleep(0.1)
        self.assertEqual(self.metric("handeye_engine_running"), 0)
        self.assertEqual(self.chat().choices[0].message.content, CONTENT)

    @staticmethod
    def stop_ids():
        ids = json.loads((NANO / "generation_config.json").read_text())["eos_token_id"]
        return ids if isinstance(ids, list) else [ids]

    def test_eight_at_once(self):
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: self.chat().choices[0].message.content, range(8)))
        self.assertEqual(answers, [CONTENT] * 8)


class Texts(Case):
    def test_completions(self):
        ids = self.post("/tokenize", {"messages": hello(), "add_generation_prompt": True})["tokens"]
        chat = self.chat(hello(), max_completion_tokens=8, logprobs=True)
        text = self.client.completions.create(model="nano", prompt=ids, temperature=0, max_tokens=8)
        self.assertEqual(text.usage.prompt_tokens, chat.usage.prompt_tokens)
        message = chat.choices[0].message
        self.assertTrue(text.choices[0].text.removeprefix("<think>").startswith(getattr(message, "reasoning_content", None) or message.content), text)
        written = self.post("/detokenize", {"tokens": ids})["prompt"]
        self.assertEqual(self.client.completions.create(model="nano", prompt=written, temperature=0, max_tokens=8).choices[0].text, text.choices[0].text)
        several = self.client.completions.create(model="nano", prompt=[ids, written], n=2, temperature=0, max_tokens=8, echo=True)
        self.assertEqual([choice.text for choice in several.choices], [written + text.choices[0].text] * 4)
        self.assertEqual([choice.index for choice in several.choices], [0, 1, 2, 3])
        streamed = "".join(chunk.choices[0].text for chunk in self.client.completions.create(model="nano", prompt=ids, temperature=0, max_tokens=8, stream=True))
        self.assertEqual(streamed, text.choices[0].text)

    def test_chances_in_the_older_form(self):
        choice = self.client.completions.create(model="nano", prompt="Hello", temperature=0, max_tokens=6, logprobs=2).choices[0]
        self.assertEqual("".join(choice.logprobs.tokens), choice.text)
        self.assertEqual(choice.logprobs.text_offset[0], 0)
        self.assertEqual({len(choice.logprobs.tokens), len(choice.logprobs.token_logprobs), len(choice.logprobs.top_logprobs), len(choice.logprobs.text_offset)}, {len(choice.logprobs.tokens)})
        self.assertTrue(all(1 <= len(top) <= 2 for top in choice.logprobs.top_logprobs))

    def test_tokens(self):
        said = self.post("/tokenize", {"model": "nano", "prompt": "Hello <|user|> größte 😀", "return_token_strs": True})
        self.assertEqual(said["count"], len(said["tokens"]))
        self.assertEqual(said["count"], len(said["token_strs"]))
        self.assertEqual(said["max_model_len"], 4096)
        self.assertEqual(self.post("/detokenize", {"tokens": said["tokens"]})["prompt"], "Hello <|user|> größte 😀")
        self.assertEqual(self.post("/tokenize", {"messages": form()})["count"], self.chat(max_completion_tokens=1).usage.prompt_tokens)


TOOLS = [{"type": "function", "function": {"name": "look_up", "parameters": {"type": "object", "properties": {"count": {"type": "integer", "minimum": 1, "maximum": 99}, "color": {"type": "string", "enum": ["red", "blue"]}},
                                                                               "required": ["count", "color"], "additionalProperties": False}}},
         {"type": "function", "function": {"name": "stop", "parameters": {"type": "object", "properties": {}, "additionalProperties": False}}}]


class Tools(Case):
    """Models with random weights: what they write is nonsense, and a call all the same where one must be."""
    checkpoint, template = "glm4-ct-int4", "tools_metadata.jinja"

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        shutil.copytree(ROOT / "tests" / "golden" / "engine" / cls.checkpoint, cls.folder / "model")
        shutil.copy(ROOT / "tests" / "golden" / "template" / cls.template, cls.folder / "model" / "chat_template.jinja")
        # As a script for another server says it.
        cls.start(cls.folder / "model", "--served-model-name", "nano", "--enable-auto-tool-choice", "--tool-call-parser", "glm45", "--reasoning-parser", "glm45", "--tensor-parallel-size", "1", "--trust-remote-code", "--gpu-memory-utilization", "0.9")

    def ask(self, tool_choice, messages=None, **more):
        silent = {str(i): -100 for i in self.post("/tokenize", {"prompt": "<think>"})["tokens"][:1]}  # thoughts are free, and these models would think for ever
        return self.chat(messages or hello(), tools=TOOLS, tool_choice=tool_choice, max_completion_tokens=200, logit_bias=silent, **{"temperature": 1, "seed": 2, **more})

    def test_calls_that_must_be(self):
        for choice, names in (("required", {"look_up", "stop"}), ({"type": "function", "function": {"name": "look_up"}}, {"look_up"})):
            for seed in range(3):
                answer = self.ask(choice, seed=seed).choices[0]
                self.assertEqual(answer.finish_reason, "tool_calls", answer.message)
                call, = answer.message.tool_calls
                self.assertIn(call.function.name, names)
                schema = next(tool["function"]["parameters"] for tool in TOOLS if tool["function"]["name"] == call.function.name)
                jsonschema.validate(json.loads(call.function.arguments), schema)

    def test_a_stream_ends_with_the_same_call(self):
        whole = self.ask("required").choices[0].message.tool_calls[0]
        chunks = list(self.ask("required", stream=True))
        streamed = [call for chunk in chunks for call in chunk.choices[0].delta.tool_calls or []]
        self.assertEqual([(call.index, call.function.name, call.function.arguments) for call in streamed], [(0, whole.function.name, whole.function.arguments)])
        self.assertEqual(chunks[-1].choices[0].finish_reason, "tool_calls")

    def test_the_history_reaches_the_prompt(self):
        first = self.ask("required").choices[0].message
        history = [*hello(), first.model_dump(exclude_none=True), {"role": "tool", "tool_call_id": first.tool_calls[0].id, "content": "It is größer."}, *hello("And?")]
        said = self.post("/tokenize", {"messages": history, "tools": TOOLS, "add_generation_prompt": True})
        written = self.post("/detokenize", {"tokens": said["tokens"]})["prompt"]
        for part in ("look_up", first.tool_calls[0].function.name, "<|observation|>", "It is größer."):
            self.assertIn(part, written)
        self.assertEqual(self.ask("none", history).choices[0].message.tool_calls, None)
        self.assertGreater(self.ask("auto", history).usage.prompt_tokens, self.ask("none", history).usage.prompt_tokens)  # the tools are offered


class ToolsInTags(Tools):
    checkpoint, template = "glm4v_moe-awq-int4", "tools_tags.jinja"


class Refusals(Case):
    def refused(self, error, param=None, messages=None, **more):
        with self.assertRaises(error) as caught:
            self.chat(messages, **more)
        if param:
            self.assertEqual(caught.exception.param, param, caught.exception)
        return caught.exception

    def test_by_class(self):
        with self.assertRaises(openai.AuthenticationError):
            self.client.with_options(api_key="wrong").models.list()
        with self.assertRaises(openai.NotFoundError) as caught:
            self.client.chat.completions.create(model="gpt-4", messages=hello())
        self.assertEqual(caught.exception.code, "model_not_found")
        with self.assertRaises(openai.NotFoundError):
            self.client.embeddings.create(model="nano", input="x")
        self.assertEqual(self.refused(openai.BadRequestError, messages=hello("word " * 30_000)).code, "context_length_exceeded")
        self.refused(openai.BadRequestError, "temperature", temperature=3)
        self.refused(openai.BadRequestError, "response_format.json_schema.schema", response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object", "patternProperties": {}}}})
        self.refused(openai.BadRequestError, "guided_regex", extra_body={"guided_regex": "(?=a)"})
        self.refused(openai.BadRequestError, "guided_grammar", extra_body={"guided_grammar": "root ::= nothing"})
        self.refused(openai.BadRequestError, "tools", tools=[{"type": "function", "function": {"name": "f"}}])
        self.refused(openai.BadRequestError, "nonsense", extra_body={"nonsense": 1})
        with self.assertRaises(openai.BadRequestError) as caught:
            self.client.completions.create(model="nano", prompt="x", suffix="y")
        self.assertEqual(caught.exception.param, "suffix")

    def test_media(self):
        where = "messages[0].content[1].image_url"
        for url in ("file:///etc/passwd", f"file://{self.folder}/media/../log", f"{self.folder}/media/link.png", f"{self.folder}/media/fifo", "/proc/self/fd/0", "link.png", "http://127.0.0.1/x.png", "http://a@127.0.0.1/x.png",
                    "http://localhost/x.png", "https://media.example/x.png", "ftp://localhost/x.png"):
            with self.subTest(url=url):
                self.refused(openai.BadRequestError, where, form(url))
        many = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "frame.png"}}] * 301}]
        self.assertIn("at most 300 pictures", str(self.refused(openai.BadRequestError, "messages[0].content[300].image_url", many)))
        both = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "frame.png"}}, {"type": "video_url", "video_url": {"url": "x.mp4"}}]}]
        self.assertIn("not both", str(self.refused(openai.BadRequestError, "messages[0].content[1].video_url", both)))


def bomb():
    """65,535 x 65,535 pixels of one bit say its header; behind it there are none."""
    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 65535, 65535, 1, 0, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")


class Limits(Case):
    """A server that gives each answer half a second and hears one at a time."""

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.start("--request-timeout", "0.5", "--max-num-seqs", "1", "--limit-mm-per-prompt", "image=2,video=0")

    def endless(self, **more):
        return self.chat(hello("Tell me everything."), temperature=2, max_completion_tokens=4000, logit_bias={str(i): -100 for i in Answers.stop_ids()}, **more)

    def test_an_answer_ends_when_its_time_is_up(self):
        answer = self.endless()
        self.assertEqual(answer.choices[0].finish_reason, "length")
        self.assertLess(answer.usage.completion_tokens, 4000)
        self.assertEqual([chunk.choices[0].finish_reason for chunk in self.endless(stream=True)][-1], "length")
        # Of many at once the last ones are not even begun within their time: that is an error, and nothing hangs.
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            ends = list(pool.map(lambda _: self.end_of(), range(6)))
        self.assertIn("length", ends)
        self.assertLessEqual(set(ends), {"length", 504})

    def end_of(self):
        try:
            return self.endless().choices[0].finish_reason
        except openai.APIStatusError as error:
            return error.status_code

    def test_bombs_and_numbers_of_pictures(self):
        url = "data:image/png;base64," + base64.b64encode(bomb()).decode()
        with self.assertRaises(openai.BadRequestError) as caught:
            self.chat(form(url))
        self.assertIn("12884508675 bytes when they are decoded", str(caught.exception))  # by its header, not by decoding it
        with self.assertRaises(openai.BadRequestError) as caught:
            self.chat([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": picture_url()}}] * 3}])
        self.assertIn("at most 2 pictures", str(caught.exception))
        with self.assertRaises(openai.BadRequestError) as caught:
            self.chat([{"role": "user", "content": [{"type": "video_url", "video_url": {"url": "data:video/mp4;base64,AAAA"}}]}])
        self.assertIn("takes no videos", str(caught.exception))
        with self.assertRaises(openai.BadRequestError) as caught:
            self.chat(form("frame.png"))
        self.assertIn("data: URLs", str(caught.exception))


if __name__ == "__main__":
    unittest.main()
