# SPDX-License-Identifier: Apache-2.0
"""`handeye chat` as people and scripts use it: one conversation for each medium, what is refused by name, and a real terminal.

Arguments: the folder of the programs.
"""
import json
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest
import zlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
NANO = ROOT / "models" / "nano"
GLM4V = ROOT / "tests" / "golden" / "engine" / "glm4v-f32"
CHATGLM = ROOT / "tests" / "golden" / "engine" / "chatglm-f32"
MEDIA = ROOT / "tests" / "golden" / "media"
FORM = NANO / "eval" / "golden" / "form-01" / "frame.png"
WAIT_S = 100
PROMPT = rb"\n> "
BINARIES = pathlib.Path()


def png(width, height, grey=128):
    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    rows = zlib.compress((b"\0" + bytes([grey]) * width) * height)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def pdf(sizes):
    objects = ["<< /Type /Catalog /Pages 2 0 R >>", f"<< /Type /Pages /Count {len(sizes)} /Kids [{' '.join(f'{3 + i} 0 R' for i in range(len(sizes)))}] >>"]
    objects += [f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {width} {height}] >>" for width, height in sizes]
    out, places = "%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n"
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    return (out + f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}trailer << /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{len(out)}\n%%EOF\n").encode()


def golden_ids(case):
    """The reference's greedy ids of a case of the golden checkpoint."""
    data = (GLM4V / "expected.safetensors").read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    row = json.loads(data[8:8 + size])[f"{case}/greedy_ids"]
    begin, end = row["data_offsets"]
    kind = {"I32": "i", "I64": "q"}[row["dtype"]]
    values = data[8 + size + begin:8 + size + end]
    return list(struct.unpack(f"<{len(values) // struct.calcsize(kind)}{kind}", values))


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="handeye-chat-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "XDG_CONFIG_HOME": str(self.folder / "config"), "XDG_DATA_HOME": str(self.folder / "data"),
                            "XDG_CACHE_HOME": str(self.folder / "cache"), "TMPDIR": str(self.folder), "LANG": "C.UTF-8", "TERM": "xterm"}

    def put(self, name, data):
        (self.folder / name).write_bytes(data)
        return str(self.folder / name)

    def chat(self, *words, lines=(), model=NANO):
        command = [BINARIES / "handeye", "chat", "--model", model, "--threads", "1", "--json", *map(str, words)]
        done = subprocess.run(command, env=self.environment, input="".join(line + "\n" for line in lines), capture_output=True, text=True, timeout=WAIT_S)
        return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr

    def talk(self, *words, **more):
        code, turns, said = self.chat(*words, **more)
        self.assertEqual(code, 0, said)
        return turns

    def refused(self, *words, code=2, **more):
        got, turns, said = self.chat(*words, **more)
        self.assertEqual(got, code, said)
        return turns[-1]["error"]["message"]


class Conversations(Case):
    SHORT = ("--max-new-tokens", "150")

    def test_words_alone_and_what_is_known_is_not_computed_again(self):
        first, second = self.talk(*self.SHORT, lines=["Set Name to Ada and click Save.", "", "And now?"])
        self.assertEqual((first["turn"], second["turn"]), (1, 2))
        self.assertGreater(second["usage"]["prompt_tokens"], first["usage"]["prompt_tokens"])
        self.assertGreater(second["usage"]["reused_tokens"], 0)
        again = self.talk(*self.SHORT, lines=["Set Name to Ada and click Save.", "And now?"])
        self.assertEqual([turn["ids"] for turn in again], [first["ids"], second["ids"]])

    def test_a_picture(self):
        first, second = self.talk(*self.SHORT, FORM, lines=["What is here?", "And where?"])
        self.assertEqual(first["shown"], ["frame.png: 336x224"])
        self.assertEqual(first["usage"]["image_tokens"], 12 * 8)
        self.assertEqual(second["shown"], [])
        self.assertEqual(second["usage"]["image_tokens"], 12 * 8)  # it stays in the conversation
        self.assertGreaterEqual(second["usage"]["reused_tokens"], 12 * 8)

    def test_several_pictures_named_at_different_times(self):
        small = self.put("a small one.png", png(112, 112))
        turns = self.talk(*self.SHORT, FORM, small, lines=["Compare.", f"/image {small}", "/image " + str(MEDIA / "still.gif"), "And these?"])
        self.assertEqual([len(turn["shown"]) for turn in turns], [2, 2])
        self.assertEqual(turns[0]["usage"]["image_tokens"], 96 + 16)
        self.assertEqual(turns[1]["shown"], ["a small one.png: 112x112", "still.gif: 176x48"])

    def test_a_video_is_what_the_reference_sees(self):
        for name, case, question in (("golden-v.mkv", "video", "Describe the video."),):
            turn, = self.talk(MEDIA / name, "--repetition-penalty", "1", "--kv-cache", "32bit", "--max-new-tokens", "8", "--thinking-budget", "0", "-p", question, model=GLM4V)
            self.assertEqual(turn["usage"]["prompt_tokens"], 33)  # as the golden says
            wanted = golden_ids(case)
            self.assertEqual(turn["ids"], wanted[:len(turn["ids"])])
            self.assertGreaterEqual(len(turn["ids"]), min(len(wanted), 7))

    def test_a_video_stays_in_the_conversation(self):
        turns = self.talk(*self.SHORT, lines=["/video " + str(MEDIA / "clock-30.mp4"), "What moves?", "And then?"])
        self.assertEqual(turns[0]["shown"], ["clock-30.mp4: 3.0 s, 176x48, of 91 frames 6 are shown to the model"])
        self.assertEqual(turns[0]["usage"]["image_tokens"], turns[1]["usage"]["image_tokens"])
        self.assertGreaterEqual(turns[1]["usage"]["reused_tokens"], turns[0]["usage"]["image_tokens"])

    def test_pages_of_a_pdf(self):
        document = self.put("paper.pdf", pdf([(200, 100), (100, 200), (300, 300)]))
        turn, = self.talk(*self.SHORT, document + "#1-2", "--dpi", "72", lines=["What does it say?"])
        self.assertEqual(turn["shown"], ["paper.pdf: pages 1 to 2 of 3"])
        self.assertEqual(turn["usage"]["image_tokens"], 7 * 4 * 2)

    @unittest.skipUnless(shutil.which("soffice"), "LibreOffice is not installed; ./check --full installs it")
    def test_a_presentation(self):
        turn, = self.talk(*self.SHORT, MEDIA / "slides.pptx", "--dpi", "40", lines=["What is on it?"])
        self.assertEqual(turn["shown"], ["slides.pptx: pages 1 to 2 of 2"])
        self.assertGreater(turn["usage"]["image_tokens"], 0)
        self.assertEqual(list(self.folder.glob("handeye-media*")), [])

    def test_one_question_from_the_command_line(self):
        turn, = self.talk(*self.SHORT, FORM, "-p", "What is here?", "--system", "You are brief.")
        self.assertEqual(turn["question"], "What is here?")
        plain = subprocess.run([BINARIES / "handeye", "chat", "--model", NANO, "--threads", "1", *self.SHORT, FORM, "-p", "What is here?", "--system", "You are brief."],
                               env=self.environment, capture_output=True, text=True, timeout=WAIT_S)
        self.assertEqual(plain.returncode, 0, plain.stderr)
        short = subprocess.run([BINARIES / "handeye", "chat", "--model", NANO, "--threads", "1", "--max-new-tokens", "2", "-p", "What is here?"],
                               env=self.environment, capture_output=True, text=True, timeout=WAIT_S)
        self.assertEqual((short.returncode, short.stdout), (1, ""))
        self.assertIn("it came to no answer", short.stderr)
        self.assertEqual(re.sub(r"\s+", " ", plain.stdout.replace("**", "")).strip(), re.sub(r"\s+", " ", turn["answer"]).strip())

    def test_the_same_with_keys_and_values_in_8_bit(self):
        half, eight = (self.talk("--max-new-tokens", "8", "--kv-cache", bits, FORM, "-p", "What is here?")[0] for bits in ("16bit", "8bit"))
        self.assertEqual(half["ids"], eight["ids"])


class Commands(Case):
    def test_undo_clear_and_system(self):
        turns = self.talk("--max-new-tokens", "150", FORM, lines=["One.", "Two.", "/undo", "Two.", "/clear", "One.", "/system You are brief.", "/clear", "One."])
        one, two, again, bare, told = turns
        self.assertEqual(two["ids"], again["ids"])
        self.assertEqual(two["usage"]["prompt_tokens"], again["usage"]["prompt_tokens"])
        self.assertEqual(bare["usage"]["image_tokens"], 0)
        self.assertGreater(told["usage"]["prompt_tokens"], bare["usage"]["prompt_tokens"])
        self.assertGreater(one["usage"]["prompt_tokens"], bare["usage"]["prompt_tokens"])

    def test_dials(self):
        turns = self.talk(lines=["/set max_new_tokens 3", "Hello", "/set max_new_tokens 5", "/set temperature 1.5", "/set seed 7", "Hello"])
        self.assertEqual([turn["usage"]["completion_tokens"] for turn in turns], [3, 5])
        self.assertIn("did you mean \"top_p\"", self.refused(lines=["/set topp 1"]))
        self.assertIn("temperature 9: a number from 0 to 2", self.refused(lines=["/set temperature 9"]))
        self.assertIn("a whole number", self.refused("--seed", "1.5"))

    def test_blocks_and_questions_that_begin_with_a_slash(self):
        turns = self.talk("--max-new-tokens", "3", lines=['"""one', "", 'two"""', '"""', "three", '"""', "//exit", '"""four"""', "/exit", "not asked"])
        self.assertEqual([turn["question"] for turn in turns], ["one\n\ntwo", "three\n", "/exit", "four"])
        self.assertIn('"""', self.refused(lines=['"""never closed']))

    def test_save(self):
        place = self.folder / "talk.json"
        self.talk("--max-new-tokens", "150", FORM, lines=["One.", f"/save {place}"])
        saved = json.loads(place.read_text())
        self.assertEqual((saved["turns"][0]["question"], saved["turns"][0]["shown"]), ("One.", ["frame.png: 336x224"]))
        self.assertEqual(place.stat().st_mode & 0o777, 0o600)
        self.assertIn("is not written over", self.refused(lines=[f"/save {place}"]))

    def test_what_is_no_command(self):
        self.assertIn('did you mean "image"', self.refused(lines=["/imag x.png"]))
        self.assertIn("nothing was asked", self.refused(lines=["/undo"]))
        self.assertIn("takes one file", self.refused(lines=["/image"]))
        self.assertIn("is no picture", self.refused(lines=["/image " + str(MEDIA / "clock-30.mp4")]))
        self.assertIn("is no video", self.refused(lines=[f"/video {FORM}"]))
        code, turns, _ = self.chat("--max-new-tokens", "3", lines=["One.", "/imag x.png", "Two."])
        self.assertEqual((code, len(turns)), (2, 2))  # the first error ends a script


class Refusals(Case):
    def test_301_pictures(self):
        picture = self.put("p.png", png(28, 28))
        self.assertIn("a conversation takes at most 300 pictures", self.refused(*[picture] * 301, "-p", "x"))
        self.assertIn("a conversation takes at most 300 pictures", self.refused(*[picture] * 300, lines=[f"/image {picture}"]))
        self.assertIn("301 pages", self.refused(self.put("long.pdf", pdf([(28, 28)] * 301)), "-p", "x"))

    def test_a_picture_and_a_video(self):
        film = MEDIA / "clock-30.mp4"
        for words in ((FORM, film), (film, FORM)):
            message = self.refused(*words, "-p", "x")
            self.assertIn("pictures or one video, never both", message)
            self.assertIn("frame.png", message)
            self.assertIn("clock-30.mp4", message)
        self.assertIn("a second video", self.refused(film, film, "-p", "x"))
        self.assertIn("never both", self.refused("--max-new-tokens", "3", FORM, lines=["Hello", f"/video {film}"]))

    def test_a_model_of_text_alone(self):
        self.assertIn("of text alone", self.refused(FORM, "-p", "x", model=CHATGLM))
        self.assertIn("of text alone", self.refused(lines=[f"/image {FORM}"], model=CHATGLM))
        self.assertEqual(len(self.talk("--max-new-tokens", "3", lines=["Hello"], model=CHATGLM)), 1)

    def test_files_that_are_none(self):
        for name, data, words in (("x.txt", b"words", "is no picture, film, PDF"), ("e.png", b"", "is empty"), ("b.mp4", b"\0\0\0\x18ftypisom" + b"x" * 300, "b.mp4"),
                                  ("b.png", b"\x89PNG\r\n\x1a\nx", "b.png"), ("b.pdf", b"%PDF-1.7\nx", "is no PDF that can be read"), ("z.zip", b"PK\x03\x04" + b"x" * 90, "is an archive")):
            message = self.refused(self.put(name, data), "-p", "x")
            self.assertIn(words, message)
        self.assertIn("there is no file", self.refused(self.folder / "missing.png", "-p", "x"))

    def test_hostile_files_in_bounded_time_and_memory(self):
        bombs = [self.put("huge.pdf", pdf([(2e8, 2e8)] * 250)), self.put("bomb.png", png(16000, 16000))]
        bombs += [str(MEDIA / "bomb.odp")] if shutil.which("soffice") else []
        broken = bytearray((MEDIA / "clock-30.mp4").read_bytes())
        broken[len(broken) // 2:] = os.urandom(len(broken) // 2)
        for bomb in bombs:
            command = [BINARIES / "handeye", "chat", "--model", NANO, "--threads", "1", "--json", bomb, "-p", "x"]
            process = subprocess.Popen(command, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            said = process.stdout.read()
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            process.stdout.close()
            self.assertEqual(process.returncode, 2, said)
            self.assertLess(used.ru_maxrss, 2_200_000)  # kB, of itself and of each process that it waited for
        code, _, _ = self.chat(self.put("broken.mp4", bytes(broken)), "--max-new-tokens", "3", "-p", "x")
        self.assertIn(code, (0, 2))  # what can be seen of it, or an error; never a crash
        self.assertEqual(list(self.folder.glob("handeye-media*")), [])

    def test_what_is_not_installed_is_said_with_its_remedy(self):
        self.environment["PATH"] = str(self.folder)
        for name, package in ((self.put("a.pdf", pdf([(50, 50)])), "apt-get install poppler-utils"), (MEDIA / "slides.pptx", "libreoffice-impress-nogui")):
            self.assertIn(package, self.refused(name, "-p", "x", code=5))  # a backend is missing


class Terminal(Case):
    """A person's: a pseudo terminal with the program behind it."""

    def start(self, *words, model=NANO, **environment):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.clear()
            os.environ.update(self.environment, **environment)
            os.execv(BINARIES / "handeye", ["handeye", "chat", "--model", str(model), "--threads", "1", *map(str, words)])
        self.addCleanup(self.finish)
        self.shown = b""

    def finish(self):
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            os.close(self.fd)

    def read_until(self, pattern):
        deadline = time.monotonic() + WAIT_S
        while not (found := re.search(pattern, self.shown, re.S)):
            self.assertLess(time.monotonic(), deadline, self.shown)
            if select.select([self.fd], [], [], 1)[0]:
                try:
                    self.shown += os.read(self.fd, 65536)
                except OSError:
                    self.fail(f"it ended: {self.shown!r}")
        self.shown, before = self.shown[found.end():], self.shown[:found.end()]
        return before

    def type(self, text):
        os.write(self.fd, text.encode())

    def end(self):
        deadline = time.monotonic() + WAIT_S
        while True:
            self.assertTrue(select.select([self.fd], [], [], max(0, deadline - time.monotonic()))[0], "it does not end")
            try:
                if not os.read(self.fd, 65536):
                    break
            except OSError:
                break
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        self.pid = 0
        os.close(self.fd)
        return code

    def test_an_answer_its_figures_and_the_end(self):
        self.start("--max-new-tokens", "30", FORM)
        self.read_until(rb"frame.png: 336x224")
        self.read_until(rb"/help shows what there is.*" + PROMPT)
        self.type("What is h\x7fhere?\n")
        self.read_until(rb"\x1b\[2m\d+ tokens?.* of \d+ prompt tokens reused.*" + PROMPT)
        self.type("/imag x\n")
        self.read_until(rb"there is no /imag.*" + PROMPT)  # and it goes on
        self.type("/help\n")
        self.read_until(rb"/undo .*" + PROMPT)
        self.type("half a line\x03")
        self.read_until(rb"\^C.*Ctrl-D ends.*" + PROMPT)
        self.type("\x03")  # nothing was typed
        self.read_until(rb"\^C.*Ctrl-D ends.*" + PROMPT)
        self.type("Grüße, 世界\x7f界\n")
        self.read_until("世界".encode() + rb".*of \d+ prompt tokens reused.*" + PROMPT)
        self.type("\x04")
        self.assertEqual(self.end(), 0)

    def test_what_is_typed_during_an_answer_is_kept(self):
        self.start("--max-new-tokens", "1000000", "--thinking-budget", "0", "--repetition-penalty", "1", model=GLM4V)
        self.read_until(PROMPT)
        self.type("Hello\n")
        self.read_until(rb"Hello\r\n.{300}")
        self.type("\x03")
        self.type("/undo\n\x04")
        self.read_until(PROMPT + rb".*" + PROMPT)
        self.assertEqual(self.end(), 0)

    def test_ctrl_c_stops_the_answer_and_not_the_program(self):
        self.start("--max-new-tokens", "1000000", "--thinking-budget", "0", "--repetition-penalty", "1", model=GLM4V)  # random weights find no end
        self.read_until(PROMPT)
        for question in ("Hello", "Again"):
            self.type(question + "\n")
            self.read_until(question.encode() + rb"\r\n.{300}")
            self.type("\x03")
            self.read_until(rb"prompt tokens reused; stopped.*" + PROMPT)
        self.type("/exit\n")
        self.assertEqual(self.end(), 0)

    def test_no_colours_where_they_are_not_wanted(self):
        self.start("--max-new-tokens", "5", NO_COLOR="1")
        self.read_until(PROMPT)
        self.type("Hello\n")
        shown = self.read_until(rb"\d+ tokens?[^\r]*")
        self.assertNotIn(b"\x1b[2m", shown)

    def test_a_signal_ends_it(self):
        self.start()
        self.read_until(PROMPT)
        os.kill(self.pid, signal.SIGTERM)
        self.assertEqual(self.end(), 0)


if __name__ == "__main__":
    BINARIES = pathlib.Path(sys.argv.pop(1))
    unittest.main(verbosity=2)
