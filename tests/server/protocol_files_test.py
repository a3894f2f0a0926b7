# SPDX-License-Identifier: Apache-2.0
"""The generator of the protocol's tables: what is checked in is what it makes, and it notices every kind of difference."""

import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
FILES = ["docs/protocol.schema.json", "docs/protocol.md", "docs/routes.md", "server/console/protocol.js",
         "tools/protocol/client.js"]


def run(root, *arguments):
    command = [sys.executable, str(ROOT / "tools/protocol/make.py"), "--root", str(root), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


class Generator(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.root = pathlib.Path(self.folder.name)
        for name in FILES:
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, self.root / name)

    def tearDown(self):
        self.folder.cleanup()

    def test_the_checked_in_files_are_what_it_makes(self):
        made = run(ROOT, "--check")
        self.assertEqual((made.returncode, made.stdout), (0, ""), made.stderr)

    def test_every_hand_made_change_of_an_output_is_found_and_mended(self):
        for name in FILES[:4]:
            path = self.root / name
            text = path.read_text(encoding="utf-8")
            at = text.rindex("task.wait")
            path.write_text(text[:at] + "task.wait_" + text[at + 9:], encoding="utf-8")
            if name != FILES[0]:
                found = run(self.root, "--check")
                self.assertEqual(found.returncode, 1, name)
                self.assertIn(name, found.stdout)
                self.assertEqual(run(self.root).returncode, 0)
                self.assertEqual(path.read_text(encoding="utf-8"), text)
            else:
                self.assertEqual(run(self.root, "--check").returncode, 1, "a renamed method makes all the others stale")
                path.write_text(text, encoding="utf-8")

    def test_a_method_in_the_file_reaches_every_output(self):
        path = self.root / FILES[0]
        schema = json.loads(path.read_text(encoding="utf-8"))
        schema["methods"]["moon.land"] = {"scope": "admin", "description": "Lands.", "params": {"type": "object"},
                                          "result": {"type": "object"}}
        path.write_text(json.dumps(schema), encoding="utf-8")
        self.assertEqual(run(self.root).returncode, 0)
        for name in FILES[1:4]:
            wanted = "/v1/moon/land" if name.endswith("routes.md") else "moon.land"
            self.assertIn(wanted, (self.root / name).read_text(encoding="utf-8"))

    def test_a_name_that_stands_twice_is_an_error(self):
        path = self.root / FILES[0]
        path.write_text(path.read_text(encoding="utf-8").replace('"methods": {', '"methods": {}, "methods": {', 1), encoding="utf-8")
        self.assertNotEqual(run(self.root, "--check").returncode, 0)

    def test_a_lost_marker_is_an_error(self):
        path = self.root / FILES[1]
        path.write_text(path.read_text(encoding="utf-8").replace("<!-- end: errors -->", ""), encoding="utf-8")
        self.assertNotEqual(run(self.root).returncode, 0)


if __name__ == "__main__":
    unittest.main()
