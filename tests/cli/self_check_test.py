# SPDX-License-Identifier: Apache-2.0
"""`handeye doctor` on the screens that a model brings: the bundled model passes, damaged weights do not, and what is said of it.

Arguments: the folder of the programs.
"""
import json
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
NANO = ROOT / "models" / "nano"
WAIT_S = 250
BINARIES = pathlib.Path()


class SelfCheck(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="handeye-selfcheck-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "XDG_CACHE_HOME": str(self.folder / "cache"), "TMPDIR": str(self.folder), "LANG": "C.UTF-8"}

    def doctor(self, model, *options):
        """-> the rows about the model: what a screen is not here for has its own tests"""
        done = subprocess.run([BINARIES / "handeye", "doctor", "--json", "--platform", "x11", "--display", ":no-such-display", "--model", model, *options], env=self.environment, capture_output=True, text=True, timeout=WAIT_S)
        said = json.loads(done.stdout)
        self.assertEqual(done.returncode, 5)  # no display
        return {row["check"]: row for row in said["checks"]}

    def copied(self, *left_out):
        model = self.folder / "model"
        shutil.copytree(NANO, model, ignore=shutil.ignore_patterns("train", *left_out))
        return model

    def test_the_bundled_model_clicks_all_twenty(self):
        row = self.doctor(NANO)["screens"]
        self.assertTrue(row["pass"], row)
        self.assertEqual(len(row["screens"]), 20)
        self.assertTrue(row["detail"].startswith("20 of 20 screens are clicked where they must be"), row["detail"])
        self.assertEqual(len({screen["name"] for screen in row["screens"]}), 20)
        for screen in row["screens"]:
            self.assertTrue(screen["pass"], screen)
            self.assertGreater(screen["seconds"], 0)

    def test_a_packed_model_need_not_answer_as_the_reference(self):
        rows = self.doctor(NANO, "--quantize", "4bit")
        for check, said in (("engine", "; packing and adapters change some"), ("screens", "of 20 screens are clicked where they must be")):
            self.assertTrue(rows[check]["pass"], rows[check])
            self.assertIn(said, rows[check]["detail"])
            self.assertNotIn("damaged", rows[check]["detail"])

    def test_damaged_weights_fail_by_name(self):
        model = self.copied("SHA256SUMS")  # with them, they are not even loaded
        weights = model / "model.safetensors"
        data = bytearray(weights.read_bytes())
        size = struct.unpack("<Q", data[:8])[0]
        tensors = json.loads(data[8:8 + size])
        damaged = 0
        for name, tensor in tensors.items():  # one bit of the exponent of each 64th number of the language model's layers
            if ".layers.0." in name or ".blocks.0." in name:
                begin, end = (8 + size + at for at in tensor["data_offsets"])
                for at in range(begin + 1, end, 128):
                    data[at] ^= 2
                damaged += 1
        self.assertGreater(damaged, 4)
        weights.write_bytes(data)
        rows = self.doctor(model)
        row = rows["screens"]
        self.assertFalse(row["pass"])
        self.assertLess(sum(screen["pass"] for screen in row["screens"]), 20)
        for part in ("of 20 screens are clicked where they must be", "instead of within [", "its files are damaged, or this build or its kernels for this CPU"):
            self.assertIn(part, row["detail"])
        self.assertIn("sha256sum -c SHA256SUMS", row["fix"])

    def test_a_bit_or_a_part_that_is_missing_is_told_before(self):
        model = self.copied()
        weights = model / "model.safetensors"
        whole = weights.read_bytes()
        flipped = bytearray(whole)
        flipped[len(whole) // 2] ^= 1
        for data in (flipped, whole[:len(whole) // 2]):
            weights.write_bytes(data)
            rows = self.doctor(model)
            self.assertFalse(rows["engine"]["pass"])
            self.assertIn("model.safetensors", rows["engine"]["detail"])
            self.assertNotIn("screens", rows)
        (model / "SHA256SUMS").unlink()
        rows = self.doctor(model)
        self.assertFalse(rows["engine"]["pass"])
        self.assertIn("model.safetensors", rows["engine"]["detail"])

    def test_screens_that_are_wrong_or_not_there(self):
        model = self.copied()
        lines = (model / "eval" / "selfcheck" / "screens.jsonl").read_text().splitlines()
        row = json.loads(lines[0])
        (model / "eval" / "selfcheck" / row["images"][0]).unlink()
        rows = self.doctor(model)
        self.assertFalse(rows["screens"]["pass"])
        self.assertEqual(sum(screen["pass"] for screen in rows["screens"]["screens"]), 19)
        self.assertIn(row["images"][0], rows["screens"]["detail"])
        (model / "eval" / "selfcheck" / "screens.jsonl").write_text(lines[1] + "\n" + json.dumps({**row, "reference": [5, 5]}) + "\n")
        rows = self.doctor(model)
        self.assertFalse(rows["screens"]["pass"])
        self.assertIn("screens.jsonl line 2", rows["screens"]["detail"])
        shutil.rmtree(model / "eval" / "selfcheck")
        rows = self.doctor(model)
        self.assertTrue(rows["screens"]["pass"])
        self.assertEqual(rows["screens"]["detail"], "no screens beside this model")


if __name__ == "__main__":
    BINARIES = pathlib.Path(sys.argv.pop(1)).resolve()
    unittest.main()
