# SPDX-License-Identifier: Apache-2.0
"""`handeye sessions list|prune|keep|unkeep` over a folder of recordings, without a daemon.

Argument: the built `handeye`.
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "tests" / "golden" / "agent" / "format1.recording"
HANDEYE = ""


def session(letter):
    return "01K" + letter * 23


class SessionFolder(unittest.TestCase):
    def setUp(self):
        self.home = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix="handeye-folder-")))
        self.folder = self.home / "handeye" / "sessions"
        self.folder.mkdir(parents=True)
        for letter, days in (("A", 40), ("B", 20), ("C", 0)):
            self.put(session(letter), days)

    def put(self, name, days, sample=SAMPLE):
        path = self.folder / f"{name}.handeye"
        shutil.copyfile(sample, path)
        then = time.time() - days * 86400
        os.utime(path, (then, then))
        return path

    def run_it(self, *words, code=0):
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.home), "XDG_STATE_HOME": str(self.home), "XDG_RUNTIME_DIR": str(self.home)}
        done = subprocess.run([HANDEYE, "sessions", *words], env=environment, capture_output=True, text=True, check=False, timeout=120)
        self.assertEqual(done.returncode, code, f"{words}: {done.stdout} {done.stderr}")
        return done

    def ask(self, *words, code=0):
        return json.loads(self.run_it(*words, "--json", code=code).stdout)

    def names(self):
        return sorted(path.name for path in self.folder.iterdir())

    def test_list_is_newest_first_and_says_what_is_there(self):
        shown = self.ask("list")
        self.assertEqual([row["session"] for row in shown["sessions"]], [session("C"), session("B"), session("A")])
        row = shown["sessions"][0]
        self.assertEqual((row["open"], row["kept"], row["sealed"], row["steps"], row["outcome"]), (False, False, True, 0, None))
        self.assertEqual(row["size_bytes"], SAMPLE.stat().st_size)
        self.assertEqual(shown["total_bytes"], 3 * SAMPLE.stat().st_size)
        self.assertIn("3 in " + str(self.folder), self.run_it("list").stdout)

    def test_a_file_that_cannot_be_read_is_named_and_the_others_are_listed(self):
        path = self.folder / f"{session('D')}.handeye"
        path.write_text("junk")
        errors = [row.get("error", "") for row in self.ask("list")["sessions"]]
        self.assertEqual(sum(str(path) in error for error in errors), 1)
        self.assertIn("cannot be read", self.run_it("list").stdout)

    def test_no_folder_is_no_recordings_and_one_that_was_named_must_be_there(self):
        shutil.rmtree(self.folder)
        self.assertEqual(self.ask("list")["sessions"], [])
        self.assertIn("/nowhere", self.run_it("list", "--dir", "/nowhere", code=2).stderr)

    def test_prune_wants_a_rule_and_good_numbers(self):
        for words in ((), ("--dry-run",), ("--older-than", "30"), ("--older-than", "-5d"), ("--older-than", "soon"), ("--max-size", "-5"), ("--max-size", "much"),
                      ("--max-count", "-1"), ("--older-than", "99999999d")):
            self.run_it("prune", *words, code=2)
        self.assertEqual(len(self.names()), 3)
        for age in ("0s", "soon", "30"):
            self.assertIn(f'"{age}" is no age: a number and m, h, d or w', self.run_it("prune", "--older-than", age, code=2).stderr)

    def test_a_negative_age_is_called_so(self):
        for option, value in (("--older-than", "-1d"), ("--max-size", "-1GB"), ("--max-count", "-1")):
            told = self.run_it("prune", option, value, code=2).stderr
            self.assertIn(f"{value} is negative", told)
            self.assertNotIn("18446744073709551615", told)
        for option, value in (("--max-size", "9223372036854775808"), ("--max-count", "9223372036854775808"), ("--max-size", "8EB")):
            self.run_it("prune", option, value, code=2)
        self.assertEqual(len(self.names()), 3)

    def test_a_name_cannot_forge_a_row(self):
        forged = "x.handeye\n" + session("Z") + "  2026-11-21T10:44:40.123Z     1.0 KiB  done               1 steps  harmless"
        for name in (forged, "tab\tbed", "red\x1b[31m"):
            shutil.copyfile(SAMPLE, self.folder / f"{name}.handeye")
            (self.folder / f"broken {name}.handeye").write_text("junk")
        lines = self.run_it("list").stdout.splitlines()
        self.assertEqual(len(lines), 3 + 6 + 1)
        self.assertFalse(any(line.startswith(session("Z")) for line in lines))
        self.assertEqual(sum("\\n" + session("Z") in line for line in lines), 2)
        self.assertNotIn("\x1b", "".join(lines))

    def test_a_recording_goes_with_its_report_and_a_persons_page_stays(self):
        mine = self.put("mine", 400)
        for name in (session("A"), "mine", "other"):
            (self.folder / f"{name}.html").write_text("<html>")
        self.run_it("prune", "--older-than", "30d")
        self.assertEqual(self.names(), sorted([f"{session('B')}.handeye", f"{session('C')}.handeye", "mine.handeye", "mine.html", "other.html"]))
        self.assertTrue(mine.exists())

    def test_what_is_from_the_future_is_never_old(self):
        for letter, years in (("D", 1), ("E", 300), ("F", 2000)):
            self.put(session(letter), -366 * years)
        self.run_it("prune", "--older-than", "0h")
        self.assertEqual([name[:26] for name in self.names()], [session(letter) for letter in "DEF"])

    def test_a_dry_run_deletes_nothing_and_names_what_would_go(self):
        plan = self.ask("prune", "--older-than", "30d", "--max-count", "1", "--dry-run")
        self.assertEqual([(row["session"], row["reason"]) for row in plan["deleted"]], [(session("A"), "age"), (session("B"), "count")])
        self.assertEqual(len(self.names()), 3)
        self.assertEqual(self.ask("prune", "--older-than", "30d", "--max-count", "1")["deleted"], plan["deleted"])
        self.assertEqual(self.names(), [f"{session('C')}.handeye"])

    def test_what_is_kept_stays_until_it_is_not(self):
        self.run_it("keep", session("A"))
        done = self.ask("prune", "--older-than", "1d")
        self.assertEqual([row["session"] for row in done["deleted"]], [session("B")])
        self.assertTrue(self.ask("list")["sessions"][1]["kept"])
        self.assertFalse(self.ask("prune", "--max-count", "0", code=1)["enough"])
        self.run_it("unkeep", session("A"))
        self.run_it("prune", "--max-size", "0")
        self.assertEqual(self.names(), [])
        self.assertIn(session("A"), self.run_it("keep", session("A"), code=2).stderr)
        self.run_it("keep", "../" + session("A"), code=2)

    def test_a_file_that_a_person_named_is_not_prunes_to_take(self):
        self.put("mine", 400)
        self.run_it("prune", "--older-than", "1h", "--max-size", "1GB")
        self.assertEqual(self.names(), [f"{session('C')}.handeye", "mine.handeye"])

    def test_what_cannot_be_deleted_is_named(self):
        if os.geteuid() == 0:
            self.skipTest("root may delete everything")
        self.folder.chmod(0o500)
        done = self.run_it("prune", "--max-count", "0", code=3)
        self.folder.chmod(0o700)
        self.assertIn(str(self.folder / session("A")), done.stderr)


if __name__ == "__main__":
    HANDEYE = sys.argv.pop(1)
    unittest.main(verbosity=2)
