# SPDX-License-Identifier: Apache-2.0
"""`handeye export`, read by something that is not handeye: a validator of LLaMA-Factory's documented rules and of OTLP/JSON.

Arguments: the folder of the programs.
"""
import json
import os
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest

BIN = pathlib.Path()
BEGIN, END = "<|begin_of_box|>", "<|end_of_box|>"


def png_size(path):
    head = path.read_bytes()[:24]
    if head[:8] != b"\x89PNG\r\n\x1a\n" or head[12:16] != b"IHDR":
        raise AssertionError(f"{path} is no PNG")
    return struct.unpack(">II", head[16:24])


def special_tokens(text):
    return set(re.findall(r"<\|[a-z0-9_/]+\|>", text))


def check_user(content):
    assert not special_tokens(content), f"special tokens in a question: {special_tokens(content)}"
    assert "<video>" not in content and "<audio>" not in content, "places of media that there are none of"


def check_answer(content, form):
    """The forms of the two families: thoughts, then the answer, its tags for 4.1V alone, boxes that open and close in turn."""
    shape = r"<think>\n(.*)</think>\n<answer>(.+)</answer>" if form == "4.1v" else r"<think>\n(.*)</think>\n(.+)"
    match = re.fullmatch(shape, content, re.DOTALL)
    assert match, f"not the shape of {form}: {content[:80]!r}"
    assert not special_tokens(match[1]), "special tokens in the thoughts"
    assert "<answer>" not in match[2] and "</answer>" not in match[2] and "think>" not in match[2], "tags within the answer"
    assert special_tokens(match[2]) <= {BEGIN, END}, special_tokens(match[2])
    marks = re.findall(r"<\|(begin|end)_of_box\|>", match[2])
    assert marks and marks == ["begin", "end"] * (len(marks) // 2), f"boxes do not balance: {marks}"
    assert "<image>" not in content, "a picture in an answer"


def check_messages(messages, ends_with):
    """Roles alternate from user on, and the last one is what the loader wants."""
    roles = [one["role"] for one in messages]
    assert roles == ["user", "assistant"] * (len(roles) // 2) + ["user"] * (len(roles) % 2), roles
    assert roles[-1] == ends_with, roles
    for one in messages:
        assert set(one) == {"role", "content"} and isinstance(one["content"], str), one


def check_pictures(folder, record, texts):
    images = record["images"]
    assert isinstance(images, list) and images, "no pictures"
    assert sum(text.count("<image>") for text in texts) == len(images), f"{len(images)} pictures, other places"
    for image in images:
        assert not os.path.isabs(image) and ".." not in pathlib.PurePosixPath(image).parts, image
        assert min(png_size(folder / image)) > 0


def check_set(folder, form):
    """Loads a folder as LLaMA-Factory does: by dataset_info.json, in the sharegpt layout. Returns the records."""
    info = json.loads((folder / "dataset_info.json").read_text())
    assert len(info) == 1, info
    entry = next(iter(info.values()))
    assert entry["formatting"] == "sharegpt", entry
    assert entry["tags"] == {"role_tag": "role", "content_tag": "content", "user_tag": "user", "assistant_tag": "assistant"}, entry
    columns = entry["columns"]
    records = json.loads((folder / entry["file_name"]).read_text())
    assert records and len({tuple(sorted(record)) for record in records}) == 1, "the records' fields differ"
    for record in records:
        messages = record[columns["messages"]]
        texts = [one["content"] for one in messages]
        answers = texts[1::2]
        if entry.get("ranking"):
            check_messages(messages, "user")
            pair = [record[columns["chosen"]], record[columns["rejected"]]]
            assert [one["role"] for one in pair] == ["assistant"] * 2 and pair[0]["content"] != pair[1]["content"], pair
            answers += [one["content"] for one in pair]
        else:
            check_messages(messages, "assistant")
        for text in texts[::2]:
            check_user(text)
        for text in answers:
            check_answer(text, form)
        check_pictures(folder, {"images": record[columns["images"]]}, texts)
    return records


class Exports(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="he"))
        self.addCleanup(shutil.rmtree, self.folder)

    def record(self, name, *arguments):
        subprocess.run([BIN / "record_session", self.folder / name, *map(str, arguments)], check=True)

    def export(self, *arguments, code=0):
        done = subprocess.run([BIN / "handeye", "export", *map(str, arguments)], cwd=self.folder, capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout if code == 0 else done.stderr

    def test_each_familys_set_keeps_the_rules(self):
        for form, prompt, name in (("4.1v", "glm-4.1v", "glm4v"), ("4.5v", "glm-4.5v", "glm4_5v")):
            with self.subTest(form):
                self.record(f"{form}.handeye", 7, prompt)
                told = json.loads(self.export(f"{form}.handeye", "--to", "llamafactory", "-o", form, "--json"))
                records = check_set(self.folder / form, form)
                self.assertEqual((len(records), told["records"], told["template"], told["image_max_pixels"]), (7, 7, name, 1280 * 800))
                self.assertEqual([len(record["images"]) for record in records], [1, 2, 3, 4, 5, 5, 5])
                sizes = {png_size(self.folder / form / image) for image in records[-1]["images"]}
                self.assertEqual(sizes, {(1280, 800), (640, 400)})
                current = records[-1]["images"][0 if form == "4.1v" else -1]
                self.assertEqual(png_size(self.folder / form / current), (1280, 800))

    def test_a_set_for_the_other_family_and_as_dialogue(self):
        self.record("a.handeye", 4, "glm-4.1v")
        self.export("a.handeye", "--to", "llamafactory", "-o", "other", "--form", "4.5v", "--dialogue")
        records = check_set(self.folder / "other", "4.5v")
        self.assertEqual([len(record["messages"]) for record in records], [8])

    def test_denied_steps_are_left_out_or_marked(self):
        self.record("a.handeye", 5, "glm-4.1v", "refused")
        told = json.loads(self.export("a.handeye", "--to", "llamafactory", "-o", "good", "--json"))
        self.assertEqual([(one["step"], one["reason"]) for one in told["left_out"]], [(2, "its result is denied")])
        self.assertEqual({record["result"] for record in check_set(self.folder / "good", "4.1v")}, {"confirmed", "said"})
        self.export("a.handeye", "--to", "llamafactory", "-o", "all", "--all")
        self.assertEqual([record["result"] for record in check_set(self.folder / "all", "4.1v")], ["confirmed", "denied", "confirmed", "confirmed", "said"])

    def test_corrections_are_pairs(self):
        self.record("a.handeye", 5, "glm-4.1v", "refused")
        self.export("a.handeye", "--to", "preference", "-o", "pairs")
        self.assertEqual(len(check_set(self.folder / "pairs", "4.1v")), 1)
        self.record("b.handeye", 3)
        self.assertIn("no correction", self.export("b.handeye", "--to", "preference", "-o", "none", code=2))
        self.assertFalse((self.folder / "none").exists())

    def test_traces_are_otlp(self):
        self.record("a.handeye", 4)
        for span in json.loads(self.export("a.handeye", "--to", "otel"))["resourceSpans"][0]["scopeSpans"][0]["spans"]:
            self.assertRegex(span["traceId"], r"^[0-9a-f]{32}$")
            self.assertRegex(span["spanId"], r"^[0-9a-f]{16}$")
            self.assertRegex(span["startTimeUnixNano"], r"^[0-9]{19}$")
            self.assertIn(span["kind"], (1, 3))
            self.assertIn(span["status"]["code"], (1, 2))
            for attribute in span["attributes"]:
                kind, value = next(iter(attribute["value"].items()))
                self.assertIn(kind, ("stringValue", "intValue", "doubleValue", "arrayValue"))
                self.assertIsInstance(value, {"stringValue": str, "intValue": str, "doubleValue": float, "arrayValue": dict}[kind])

    def test_a_task_file_comes_as_fmt_leaves_it(self):
        for name, arguments in (("a", (4,)), ("b", (4, "glm-4.5v"))):
            self.record(f"{name}.handeye", *arguments)
            self.export(f"{name}.handeye", "--to", "task", "-o", name)
            done = subprocess.run([BIN / "handeye", "task", "fmt", "--check", self.folder / name / "task.yaml"], capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_a_film(self):
        self.record("a.handeye", 3)
        told = json.loads(self.export("a.handeye", "--to", "video", "-o", "a.mp4", "--json"))
        self.assertEqual((told["steps"], told["width"], told["bytes"]), (3, 1280, (self.folder / "a.mp4").stat().st_size))
        self.assertEqual((self.folder / "a.mp4").read_bytes()[4:8], b"ftyp")
        self.assertEqual((self.folder / "a.mp4").stat().st_mode & 0o777, 0o600)
        short = json.loads(self.export("a.handeye", "--to", "video", "-o", "b.mp4", "--step-seconds", "0.4", "--json"))
        self.assertLess(short["frames"], told["frames"])
        for out in ("a.avi", "-", "/dev/null", "a.mp4", "nowhere/a.mp4"):
            self.assertNotEqual(subprocess.run([BIN / "handeye", "export", "a.handeye", "--to", "video", "-o", out], cwd=self.folder, capture_output=True).returncode, 0, out)
        self.assertEqual([one for one in os.listdir(self.folder) if ".part" in one], [])

    def test_lines_are_lines_and_replace_nothing_unasked(self):
        self.record("a.handeye", 2)
        lines = self.export("a.handeye", "--to", "jsonl").splitlines()
        self.assertEqual([json.loads(line)["seq"] for line in lines], list(range(1, len(lines) + 1)))
        self.assertEqual(self.export("a.handeye", "--to", "jsonl", "-o", "-").splitlines(), lines)
        told = json.loads(self.export("a.handeye", "--to", "jsonl", "-o", "a.jsonl", "--json"))
        self.assertEqual((told["events"], told["bytes"]), (len(lines), (self.folder / "a.jsonl").stat().st_size))
        (self.folder / "a.jsonl").write_text("mine")
        self.assertIn("is there already", self.export("a.handeye", "--to", "jsonl", "-o", "a.jsonl", code=2))
        self.assertEqual((self.folder / "a.jsonl").read_text(), "mine")
        (self.folder / "link").symlink_to("a.jsonl")
        self.assertIn("is there already", self.export("a.handeye", "--to", "otel", "-o", "link", code=2))
        for out in ("a.handeye-wal", "./a.handeye-shm", "a.handeye"):
            self.assertIn("belongs to it", self.export("a.handeye", "--to", "jsonl", "--force", "-o", out, code=2))
        self.export("a.handeye", "--to", "jsonl", "--force", "--output", "a.jsonl")
        self.assertEqual((self.folder / "a.jsonl").read_text().splitlines(), lines)
        self.export("a.handeye", "--to", "jsonl", "-o", "/dev/full", code=5)
        self.assertIn("is a folder", self.export("a.handeye", "--to", "jsonl", "-o", ".", code=2))
        self.assertEqual([one for one in os.listdir(self.folder) if ".part" in one], [])

    def test_a_disk_without_room_leaves_no_half_file(self):
        self.record("a.handeye", 2)
        for to, out in (("jsonl", "a.jsonl"), ("video", "a.mp4"), ("otel", "a.json")):
            done = subprocess.run(["bash", "-c", f"ulimit -f 4; trap '' XFSZ; exec '{BIN}/handeye' export a.handeye --to {to} -o {out}"], cwd=self.folder, capture_output=True, text=True)
            self.assertNotEqual(done.returncode, 0, to)
            self.assertFalse((self.folder / out).exists(), to)
        self.assertEqual([one for one in os.listdir(self.folder) if ".part" in one], [])

    def test_what_means_nothing_to_a_format_is_an_error(self):
        self.record("a.handeye", 2)
        for arguments in (("--to", "task", "--form", "4.5v"), ("--to", "preference", "--all"), ("--to", "otel", "--dialogue"), ("--to", "jsonl", "--languages", "deu"), ("--to", "llamafactory", "--step-seconds", "1")):
            self.assertIn("means nothing with", self.export("a.handeye", *arguments, "-o", "x", code=2))
        self.assertIn("--force is for files", self.export("a.handeye", "--to", "task", "-o", "x", "--force", code=2))
        self.assertFalse((self.folder / "x").exists())

    def test_one_is_one(self):
        self.record("a.handeye", 1)
        self.assertIn(": 1 record, 1 picture\n", self.export("a.handeye", "--to", "llamafactory", "-o", "x"))

    def test_what_the_trainers_own_loader_made_of_it_is_what_is_exported_today(self):
        loaded = json.loads((pathlib.Path(__file__).resolve().parents[1] / "golden" / "llamafactory" / "loaded.json").read_text())["cases"]
        for name, form, prompt, arguments in (("4.1v", "4.1v", "glm-4.1v", ()), ("4.5v", "4.5v", "glm-4.5v", ()), ("4.1v dialogue", "4.1v", "glm-4.1v", ("--dialogue",)), ("4.1v as 4.5v", "4.5v", "glm-4.1v", ("--form", "4.5v"))):
            with self.subTest(name):
                self.record(f"{name}.handeye", 5, prompt)
                self.export(f"{name}.handeye", "--to", "llamafactory", "-o", name, *arguments)
                records = check_set(self.folder / name, form)
                self.assertEqual(len(records), loaded[name]["loaded"])
                for record, row in zip(records, loaded[name]["rows"]):
                    answers = "".join(one["content"] for one in record["messages"] if one["role"] == "assistant")
                    self.assertEqual((len(record["images"]), len(record["messages"]) // 2, [answers.count(BEGIN), answers.count(END)]), (row["places"], row["answers"], row["boxes"]))
                    self.assertTrue(row["answer_is_whole"])

    def test_what_is_wrong_is_said(self):
        self.record("a.handeye", 2)
        self.assertIn("name a new folder", self.export("a.handeye", "--to", "llamafactory", code=2))
        self.assertIn("is the recording itself", self.export("a.handeye", "--to", "otel", "-o", "a.handeye", code=2))
        self.assertIn("is no empty folder", self.export("a.handeye", "--to", "llamafactory", "-o", ".", code=2))


class TheValidator(unittest.TestCase):
    """It would see what it looks for."""

    def test_finds_each_mistake(self):
        good = "<think>\nA.</think>\n<answer>B <|begin_of_box|>DONE()<|end_of_box|></answer>"
        check_answer(good, "4.1v")
        for bad in (good.replace(END, ""), good.replace(BEGIN, END), good.replace("<answer>", ""), good.replace("A.", "A<|user|>"), good.replace("B", "<image>")):
            with self.assertRaises(AssertionError, msg=bad):
                check_answer(bad, "4.1v")
        for roles in (["user"], ["assistant", "user"], ["user", "user"], ["user", "assistant", "assistant"]):
            with self.assertRaises(AssertionError, msg=roles):
                check_messages([{"role": role, "content": ""} for role in roles], "assistant")
        with self.assertRaises(AssertionError):
            check_pictures(pathlib.Path("."), {"images": ["a.png"]}, ["<image><image>"])
        with self.assertRaises(AssertionError):
            check_user("press <|endoftext|>")


if __name__ == "__main__":
    BIN = pathlib.Path(sys.argv.pop(1)).resolve()
    unittest.main(verbosity=2)
