# SPDX-License-Identifier: Apache-2.0
"""`handeye models pull` against a hub in miniature (hub_server.py) that serves a real tiny checkpoint, and misbehaves.

Arguments: the folder of the programs.
"""
import fcntl
import hashlib
import json
import os
import pathlib
import shutil
import ssl
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "cli"))

from hub_server import LFS_BYTES, Hub  # noqa: E402

GOLDEN = ROOT / "tests" / "golden" / "engine"
WAIT_S = 60
SHARD = "model-00002-of-00003.safetensors"
BINARIES = ""
GOLDEN_ONLY = {"cases.json", "expected.safetensors"}


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.models = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.models.cleanup)

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.upstream = self.folder / "upstream"
        self.copy("glm4v-bf16", self.upstream / "plain")
        (self.upstream / "gguf").mkdir()
        shutil.copy(GOLDEN / "glm4-gguf-zoo" / "model.gguf", self.upstream / "gguf" / "Tiny-Q4_K_M.gguf")
        shutil.copy(GOLDEN / "glm4-gguf-zoo" / "model.gguf", self.upstream / "gguf" / "Tiny-IQ4_XS.gguf")
        self.hub = Hub({"me/tiny": self.upstream / "plain", "me/tiny-gguf": self.upstream / "gguf"})
        self.addCleanup(self.hub.close)
        self.mischief = self.hub.mischief
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "XDG_CONFIG_HOME": str(self.folder / "config"),
                            "XDG_DATA_HOME": str(self.folder / "data"), "XDG_CACHE_HOME": str(self.folder / "cache")}
        self.spec = {"format": "pytorch", "size_in_billions": self.bytes_of("plain") / 2e9, "quantizations": ["none"], "engines": "",
                     "model_id": "me/tiny", "hubs": {"huggingface": "me/tiny", "modelscope": "me/tiny"}}
        self.gguf = {"format": "ggufv2", "size_in_billions": 0.0019, "quantizations": ["Q4_K_M"], "engines": "", "model_id": "me/tiny-gguf",
                     "hubs": {"huggingface": "me/tiny-gguf", "modelscope": "me/tiny-gguf"}}
        self.write_registry()

    @staticmethod
    def copy(golden, folder):
        folder.mkdir(parents=True)
        for path in (GOLDEN / golden).iterdir():
            if path.is_file() and path.name not in GOLDEN_ONLY:
                shutil.copy(path, folder)
        (folder / "README.md").write_text("not fetched")
        (folder / "pytorch_model.bin").write_bytes(b"\x80\x04pickle")
        (folder / "figures").mkdir()
        (folder / "figures" / "config.json").write_text("{}")

    def bytes_of(self, model):
        return sum(path.stat().st_size for path in (self.upstream / model).glob("*.safetensors"))

    def write_registry(self, name="tiny", abilities=("chat", "vision")):
        models = [{"name": name, "context_length": 4096, "languages": ["en"], "abilities": list(abilities), "specs": [self.spec]},
                  {"name": "tinygguf", "context_length": 4096, "languages": ["en"], "abilities": ["chat"], "specs": [self.gguf]}]
        (self.folder / "config" / "handeye").mkdir(parents=True, exist_ok=True)
        (self.folder / "config" / "handeye" / "registry.json").write_text(json.dumps({"models": models}))

    def run_it(self, *words, code=0, **environment):
        done = subprocess.run([BINARIES / "handeye", *words], env=self.environment | environment, capture_output=True, text=True, timeout=WAIT_S,
                              check=False, stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, code, f"{words}: {done.stdout} {done.stderr}")
        return done.stdout if code == 0 else done.stderr

    def pull(self, *words, model="tiny", code=0, **environment):
        out = self.run_it("models", "pull", model, "--endpoint", self.hub.url, "--json", *words, code=code, **environment)
        return json.loads(out) if code == 0 else out

    @property
    def place(self):
        return next((self.folder / "data" / "handeye" / "models" / "tiny").glob("*-none"), None)

    def check_place(self, report):
        """All of it is there, as upstream has it, and nothing else."""
        place = pathlib.Path(report["path"])
        wanted = {path.name for path in (self.upstream / "plain").iterdir() if path.is_file()} - {"README.md", "pytorch_model.bin"}
        self.assertEqual({path.name for path in place.iterdir()}, wanted | {"SHA256SUMS"})
        for name in wanted:
            self.assertEqual((place / name).read_bytes(), (self.upstream / "plain" / name).read_bytes(), name)
        for line in (place / "SHA256SUMS").read_text().splitlines():
            sum_, _, name = line.partition("  ")
            self.assertEqual(sum_, hashlib.sha256((place / name).read_bytes()).hexdigest())
        self.assertFalse(place.with_name(place.name + ".partial").exists())

    def refuse(self, what, code=2, **options):
        said = self.pull(code=code, **options)
        self.assertIn(what, said)
        self.assertIsNone(self.place, said)
        return said


class Layouts(Case):
    def test_a_model_of_hugging_face_arrives_and_runs(self):
        report = self.pull()
        self.check_place(report)
        self.assertEqual((report["id"], report["revision"], report["was_here"]), ("me/tiny", "0123456789abcdef0123456789abcdef01234567", False))
        self.assertTrue(self.run_it("models", "list").count("none*"))
        verified = json.loads(self.run_it("models", "verify", "--model", "tiny", "--cases", GOLDEN / "glm4v-bf16", "--json"))
        self.assertTrue(verified["pass"], verified)
        self.hub.log.clear()
        self.assertTrue(self.pull()["was_here"])
        self.assertEqual(self.hub.log, [])

    def test_a_model_of_modelscope_arrives(self):
        self.check_place(self.pull("--hub", "modelscope"))
        self.assertTrue(all(path.startswith("/api/v1/models/me/tiny/repo") for server, path, *_ in self.hub.log if server == "home"), self.hub.log)

    def test_a_listing_comes_in_pages(self):
        self.mischief.page_rows = 3
        self.check_place(self.pull())

    def test_of_gguf_the_one_quantisation_is_taken(self):
        report = self.pull(model="tinygguf")
        self.assertEqual([file["name"] for file in report["files"]], ["Tiny-Q4_K_M.gguf"])
        verified = json.loads(self.run_it("models", "verify", "--model", "tinygguf:gguf", "--cases", GOLDEN / "glm4-gguf-zoo", "--json"))
        self.assertTrue(verified["pass"], verified)

    def test_another_place(self):
        report = self.pull("--into", self.folder / "here")
        self.assertEqual(report["path"], str(self.folder / "here"))
        self.check_place(report)


class Breaks(Case):
    def test_a_body_that_breaks_off_is_gone_on_with(self):
        self.mischief.drops = [None, 100_000, 200_000]
        self.check_place(self.pull())
        self.assertEqual(self.hub.fetched(SHARD), [None, "bytes=100000-", "bytes=300000-"])

    def test_what_was_fetched_outlives_the_command(self):
        self.mischief.drops = [None, 100_000]
        self.mischief.wrong_range = True  # the try after the break is answered with other bytes
        self.refuse("the hub sends \"bytes 100001-")
        self.mischief.wrong_range = False
        self.hub.log.clear()
        report = self.pull()
        self.check_place(report)
        self.assertEqual(self.hub.fetched(SHARD), ["bytes=100000-"])
        self.assertEqual({file["name"]: file["bytes_kept"] for file in report["files"]}[SHARD], 100_000)
        self.assertEqual(self.hub.fetched("model-00001-of-00003.safetensors"), [])  # whole, and checked again here

    def test_a_half_that_rotted_on_the_disk_is_found(self):
        self.mischief.drops = [None, 100_000]
        self.mischief.wrong_range = True
        self.refuse("asked for the bytes from 100000")
        self.mischief.wrong_range = False
        half = self.folder / "data/handeye/models/tiny"
        half = next(half.glob("*.partial")) / "files" / SHARD
        half.write_bytes(b"x" + half.read_bytes()[1:])
        self.refuse(f"{SHARD}: its SHA-256 is")
        self.check_place(self.pull())

    def test_a_file_that_changed_meanwhile_is_begun_anew(self):
        self.mischief.drops = [None, 100_000]
        self.mischief.wrong_range = True
        self.refuse("asked for the bytes from 100000")
        self.mischief.wrong_range = False
        self.mischief.etag = "another"
        report = self.pull()
        self.check_place(report)
        self.assertEqual({file["name"]: file["bytes_kept"] for file in report["files"]}[SHARD], 0)

    def test_a_hub_without_ranges_sends_all_again(self):
        self.mischief.drops = [100_000]
        self.mischief.ignores_range = True
        self.check_place(self.pull())

    def test_a_hub_that_gets_no_further_is_left(self):
        self.mischief.ignores_range = True
        self.mischief.drops = [None] + [3000, 2000, 1000] * 20
        self.refuse("5 tries in a row brought nothing", code=5)
        self.assertEqual(len(self.hub.fetched(SHARD)), 6)  # the first brought something

    def test_a_hub_that_gives_a_byte_at_a_time_is_left(self):
        self.mischief.drops = [None] + [1] * 500
        self.refuse("100 requests did not bring it all", code=5)
        self.assertEqual(len(self.hub.fetched(SHARD)), 100)

    def test_a_hub_that_is_busy_is_asked_again(self):
        self.mischief.statuses = [503]
        self.check_place(self.pull())

    def test_one_pull_of_a_place_at_a_time(self):
        partial = self.folder / "data/handeye/models/tiny" / f"{self.spec['size_in_billions']:.9g}B-pytorch-none.partial"
        partial.mkdir(parents=True)
        with open(partial / "lock", "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self.refuse("another pull to this place runs", code=5)
        self.check_place(self.pull())

    def test_nobody_is_there(self):
        self.hub.close()
        self.refuse("Connection refused", code=5)


class Planted(Case):
    """What somebody put where a pull would keep its own."""

    def setUp(self):
        super().setUp()
        self.into = self.folder / "here"
        self.partial = self.folder / "here.partial"
        self.victim = self.folder / "victim"
        self.victim.mkdir()
        (self.victim / "thesis").write_text("mine")

    def refuse_planted(self, what):
        said = self.pull("--into", self.into, code=3)
        self.assertIn(what, said)
        self.assertEqual({path.name: path.read_text() for path in self.victim.iterdir()}, {"thesis": "mine"})
        self.assertFalse(os.path.lexists(self.into))

    def test_links_in_the_place_of_folders(self):
        self.partial.symlink_to(self.victim)
        self.refuse_planted("here.partial is a link")
        self.partial.unlink()
        for name in ("files", "state"):
            self.partial.mkdir(exist_ok=True)
            (self.partial / name).symlink_to(self.victim)
            self.refuse_planted(f"here.partial/{name} is a link")
            shutil.rmtree(self.partial)

    @unittest.skipUnless(os.geteuid() == 0, "only root can give a folder away")
    def test_folders_of_another_user(self):
        self.partial.mkdir()
        os.chown(self.partial, 65534, 65534)
        self.refuse_planted("here.partial is another user's folder")

    def test_links_in_the_place_of_files(self):
        (self.partial / "files").mkdir(parents=True)
        (self.partial / "state").mkdir()
        os.link(self.victim / "thesis", self.partial / "files" / SHARD)
        os.link(self.victim / "thesis", self.partial / "files" / "SHA256SUMS")
        (self.partial / "files" / "config.json").symlink_to(self.victim / "thesis")
        os.mkfifo(self.partial / "files" / "tokenizer.json")
        (self.partial / "state" / (SHARD + ".json")).symlink_to(self.victim / "thesis")
        self.check_place(self.pull("--into", self.into))
        self.assertEqual((self.victim / "thesis").read_text(), "mine")

    def test_a_half_with_a_second_name_is_begun_anew(self):
        self.mischief.drops = [None, 100_000]
        self.mischief.wrong_range = True
        self.pull("--into", self.into, code=2)
        self.mischief.wrong_range = False
        os.link(self.partial / "files" / SHARD, self.folder / "second")
        self.check_place(self.pull("--into", self.into))
        self.assertEqual((self.folder / "second").stat().st_size, 100_000)


class Hostile(Case):
    def test_wrong_content(self):
        self.assertLess((self.upstream / "plain" / "config.json").stat().st_size, LFS_BYTES)  # without a SHA-256 in the listing
        self.mischief.wrong_bytes = {"config.json"}
        self.refuse("config.json: its git hash is")
        self.mischief.wrong_bytes = {SHARD}
        self.refuse(f"{SHARD}: its SHA-256 is")
        self.mischief.wrong_bytes = set()
        self.check_place(self.pull())

    def test_wrong_length(self):
        for name in ("config.json", SHARD):
            self.mischief.wrong_length = {name}
            self.refuse(f"{name}: the hub sends ")

    def test_bodies_without_end(self):
        for name in ("config.json", SHARD):
            self.mischief.endless = {name}
            self.refuse(f"{name}: the hub sends more than the ")

    def test_redirects_elsewhere(self):
        for where in ("file:///etc/passwd", "//127.0.0.1/x"):
            self.mischief.redirect_to = where
            self.refuse("redirects to what is no http or https URL", code=3)
        self.mischief.redirect_to = None
        self.mischief.redirect_loop = True
        self.refuse("more than 5 redirects")

    def test_listings(self):
        """The table of what a listing may not hold: hub_listing_test.cpp."""
        good = {"type": "file", "oid": "0" * 40, "size": 3, "path": "config.json"}
        for bad, what in (([dict(good, path="../config.json")], "is no path"), (b"[" + b" " * (16 << 20) + b"]", "more than 16777216 bytes")):
            self.mischief.listing = bad
            self.refuse(what)
        self.mischief.listing = None
        self.mischief.page_rows = 100
        self.mischief.endless_pages = True
        self.refuse("more than 50 pages")
        self.mischief.listing = {"Code": 404, "Message": "no such model"}
        self.assertIn("but says: no such model", self.pull("--hub", "modelscope", code=2))

    def test_no_room(self):
        self.mischief.listing = [{"type": "file", "oid": "0" * 40, "size": 3, "path": "config.json"},
                                 {"type": "file", "size": 2 ** 45, "path": "model.safetensors", "lfs": {"oid": "0" * 64, "size": 2 ** 45}}]
        said = self.refuse("are free there")
        self.assertIn("35.2 TB more are needed", said)
        self.assertEqual([path for server, path, *_ in self.hub.log if "resolve" in path], [])

    def test_what_the_hub_does_not_have(self):
        self.hub.models.clear()
        self.refuse("the hub does not have it (404)")


class Promises(Case):
    """What comes is compared with the row before the weights are fetched."""

    def refuse_early(self, what, **options):
        self.refuse(what, **options)
        self.assertEqual(self.hub.fetched(SHARD), [])

    def test_another_size(self):
        self.spec["size_in_billions"] = 9
        self.write_registry()
        self.refuse_early("billion parameters, the row says 9")

    def test_a_9b_row_that_brings_a_32b_configuration(self):
        config = {"model_type": "glm4", "hidden_size": 6144, "num_hidden_layers": 61, "num_attention_heads": 48, "num_key_value_heads": 2, "head_dim": 128,
                  "intermediate_size": 23040, "vocab_size": 151552}
        (self.upstream / "plain" / "config.json").write_text(json.dumps(config))
        self.spec["size_in_billions"] = 9
        self.write_registry(abilities=["chat"])
        self.refuse_early("with 61 layers of width 6144 it has 32.6 billion parameters, the row says 9")

    def test_another_family(self):
        self.write_registry(name="glm4-0414")
        said = self.pull(model="glm4-0414", code=2)
        self.assertIn("it is a model of the family \"glm4v\", the row wants \"glm4\"", said)

    def test_no_vision_tower(self):
        self.write_registry(abilities=["chat"])
        self.refuse_early("it has a vision tower")

    def test_another_quantiser(self):
        self.spec["format"], self.spec["quantizations"] = "awq", ["Int4"]
        self.write_registry()
        self.refuse_early("it is quantised by \"\", the row says Int4")

    def test_too_few_bytes_for_its_numbers(self):
        for path in (self.upstream / "plain").glob("model-*.safetensors"):
            path.write_bytes(path.read_bytes()[:9000])
        self.refuse_early("bits for each of")

    def test_of_gguf_the_beginning_is_enough(self):
        self.gguf["size_in_billions"] = 32
        self.write_registry()
        said = self.pull(model="tinygguf", code=2)
        self.assertIn("billion parameters, the row says 32", said)
        self.assertEqual(self.hub.fetched("Tiny-Q4_K_M.gguf"), ["bytes=0-1048575"])
        (self.upstream / "gguf" / "Tiny-Q4_K_M.gguf").write_bytes(bytes(10_000))
        self.assertIn("this is no GGUF file", self.pull(model="tinygguf", code=2))


    def test_of_gguf_a_vision_tower_counts_as_weights(self):
        self.mischief.listing = [{"type": "file", "oid": "0" * 40, "size": size, "path": path, "lfs": {"oid": "0" * 64, "size": size}}
                                 for path, size in (("Tiny-Q4_K_M.gguf", (self.upstream / "gguf" / "Tiny-Q4_K_M.gguf").stat().st_size), ("mmproj.gguf", 50_000_000))]
        registry = self.folder / "config" / "handeye" / "registry.json"
        registry.write_text(registry.read_text().replace('"abilities": ["chat"]', '"abilities": ["chat", "vision"]'))
        self.assertIn("bits for each of", self.pull(model="tinygguf", code=2))
        self.assertEqual(self.hub.fetched("mmproj.gguf"), [])

    def test_of_gguf_the_beginning_is_that_of_the_file(self):
        path = self.upstream / "gguf" / "Tiny-Q4_K_M.gguf"
        good = path.read_bytes()
        self.mischief.beginning[path.name] = good
        path.write_bytes(b"gguf" + good[4:])  # with its hash in the listing
        said = self.pull(model="tinygguf", code=2)
        self.assertIn("Tiny-Q4_K_M.gguf: this is no GGUF file", said)
        self.assertIn(None, self.hub.fetched(path.name))  # it came whole
        self.assertEqual([path.suffix for path in (self.folder / "data/handeye/models/tinygguf").iterdir()], [".partial"])


class Secrets(Case):
    def test_the_token_goes_to_the_hub_alone_and_is_never_shown(self):
        self.mischief.token = "hf_canary"
        self.refuse("the hub says no (401)", code=3)
        (self.folder / "token").write_text("hf_wrong")
        self.assertIn("the hub says no (401)", self.pull("--token-file", self.folder / "token", code=3))
        (self.folder / "token").write_text("hf_canary")
        shown = self.run_it("models", "pull", "tiny", "--endpoint", self.hub.url, "-v", "--token-file", self.folder / "token")
        self.assertNotIn("canary", shown)
        self.assertEqual({authorization for server, _, _, authorization in self.hub.log if server == "content"}, {None})

    def test_a_token_that_was_only_found_needs_tls(self):
        kept = self.folder / ".cache" / "huggingface" / "token"
        kept.parent.mkdir(parents=True)
        kept.write_text("hf_canary")
        self.check_place(self.pull())
        shutil.rmtree(self.place)
        self.run_it("models", "pull", "tiny", HF_TOKEN="hf_canary", HF_ENDPOINT=self.hub.url)
        self.assertEqual({authorization for *_, authorization in self.hub.log}, {None})

    def test_the_token_comes_from_a_file(self):
        self.mischief.token = "hf_canary"
        (self.folder / "token").write_text("hf_canary\n")
        self.check_place(self.pull("--token-file", self.folder / "token"))
        (self.folder / "bad").write_text("two words")
        said = self.pull("--token-file", self.folder / "bad", code=2)
        self.assertNotIn("words", said.replace("handeye", ""))

    def test_modelscope_is_not_told(self):
        self.pull("--hub", "modelscope", HF_TOKEN="hf_canary")
        self.assertEqual({authorization for *_, authorization in self.hub.log}, {None})


class Tls(Case):
    def setUp(self):
        super().setUp()
        made = subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1", "-subj", "/CN=127.0.0.1",
                               "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", self.folder / "key.pem", "-out", self.folder / "cert.pem"],
                              capture_output=True, text=True, check=False)
        self.assertEqual(made.returncode, 0, made.stderr)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / "cert.pem", self.folder / "key.pem")
        self.hub.home.socket = context.wrap_socket(self.hub.home.socket, server_side=True)
        self.hub.url = self.hub.url.replace("http:", "https:")

    def test_a_certificate_that_nobody_vouches_for(self):
        self.refuse("its certificate does not prove that it is 127.0.0.1", code=5)

    def test_a_token_that_was_found_goes_to_the_endpoint_that_was_named(self):
        self.pull("--ca-file", self.folder / "cert.pem", code=3, HF_TOKEN="hf_canary")
        self.assertEqual({(server, authorization) for server, _, _, authorization in self.hub.log}, {("home", "Bearer hf_canary")})

    def test_a_redirect_never_leaves_tls(self):
        said = self.pull("--ca-file", self.folder / "cert.pem", code=3)
        self.assertIn("redirects from https to http", said)
        self.assertIsNone(self.place)


if __name__ == "__main__":
    BINARIES = pathlib.Path(sys.argv.pop(1))
    unittest.main()
