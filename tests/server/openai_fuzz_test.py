# SPDX-License-Identifier: Apache-2.0
"""schemathesis from PyPI asks `handeye serve` whatever docs/openapi.json allows and some of what it forbids: no answer may be 5xx, and
the document is the one that the server gives out.

Arguments: the folder of the programs, the folder of the packages (tools/openai_client.sh). Skipped (77) where they are not.
HANDEYE_FULL=1: many more examples.
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest
import urllib.request

BINARIES = pathlib.Path(sys.argv.pop(1))
PACKAGES = str(pathlib.Path(sys.argv.pop(1)).resolve())
ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "openapi.json"
WAIT_S = 120
IS_FULL = bool(os.environ.get("HANDEYE_FULL"))
EXAMPLES = "200" if IS_FULL else "6"
PHASES = "examples,coverage,fuzzing" if IS_FULL else "examples,fuzzing"


class Fuzz(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder)}
        log = open(self.folder / "log", "w+b")
        self.addCleanup(log.close)
        # A request for thousands of tokens is a fair one; here each has a tenth of a second.
        self.process = subprocess.Popen([BINARIES / "handeye", "serve", "--port", "0", "--threads", "1", "--json", "--request-timeout", "0.1", "--allowed-local-media-path", self.folder], env=environment,
                                        stdout=subprocess.PIPE, stderr=log, text=True)
        self.addCleanup(self.end)
        line = self.process.stdout.readline()
        self.assertTrue(line, (self.folder / "log").read_text())
        self.url = json.loads(line)["url"].removesuffix("/v1")

    def end(self):
        self.process.terminate()
        self.process.wait(WAIT_S)
        self.process.stdout.close()

    def test_nothing_makes_it_fail(self):
        with urllib.request.urlopen(f"{self.url}/openapi.json", timeout=WAIT_S) as answer:
            self.assertEqual(json.load(answer), json.loads(DOCUMENT.read_text()))
        document = json.loads(DOCUMENT.read_text())
        for schema in ("ChatRequest", "TextRequest", "TokenizeRequest", "DetokenizeRequest"):  # another name is 404 before anything else is looked at
            document["components"]["schemas"][schema]["properties"]["model"] = {"const": "nano"}
        (self.folder / "openapi.json").write_text(json.dumps(document))
        command = [sys.executable, "-B", "-m", "schemathesis.cli", "run", str(self.folder / "openapi.json"), "--url", self.url, "--checks", "not_a_server_error", "--phases", PHASES, "--max-examples", EXAMPLES,
                   "--generation-deterministic", "--request-timeout", "60", "--suppress-health-check", "all", "--no-color", "--workers", "1", "--continue-on-failure"]
        done = subprocess.run(command, env={**os.environ, "PYTHONPATH": PACKAGES, "HOME": str(self.folder)}, cwd=self.folder, capture_output=True, text=True, timeout=3600, check=False)
        print(done.stdout[-2500:])
        self.assertEqual(done.returncode, 0, done.stdout[-8000:] + done.stderr[-2000:])


if __name__ == "__main__":
    if not (pathlib.Path(PACKAGES) / "schemathesis").is_dir():
        print("skipped: no schemathesis; tools/openai_client.sh fetches it")
        sys.exit(77)
    unittest.main()
