# SPDX-License-Identifier: Apache-2.0
"""A hub in miniature: folders served in the HTTP layouts of Hugging Face and ModelScope, with the mischief that a test asks for.

Large files (here: over LFS_BYTES) are answered with a redirect to a second server, as hubs do with their content networks. The
layouts are those of the hubs' public APIs: /api/models/ID/revision, /tree, /ID/resolve; /api/v1/models/ID/repo/files, /repo.
"""
import hashlib
import http.server
import json
import pathlib
import threading
import urllib.parse

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LFS_BYTES = 4096


def git_blob(data):
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


class Mischief:
    """What goes wrong; a test sets fields, the servers obey."""

    def __init__(self):
        self.drops = []             # body bytes after which the next answers of large files break off, one each
        self.statuses = []          # statuses of the next answers of large files, one each
        self.wrong_bytes = set()    # files whose content differs from the listing
        self.endless = set()        # files that never end
        self.wrong_length = set()   # files that come one byte longer
        self.beginning = {}         # file: the bytes that a range from 0 to an end is answered with, whatever the file is
        self.ignores_range = False  # 200 and everything where a range was asked for
        self.wrong_range = False    # a 206 of other bytes
        self.redirect_to = None     # another place for large files
        self.redirect_loop = False
        self.listing = None         # instead of the real one
        self.page_rows = 1000
        self.endless_pages = False
        self.etag = None            # of large files; None: the hash
        self.token = None           # that the hub wants


class Hub:
    """Serves {id: folder} on two ports of this machine; `log` holds (server, path, range, authorization)."""

    def __init__(self, models):
        self.models = {name: pathlib.Path(folder) for name, folder in models.items()}
        self.mischief = Mischief()
        self.log = []
        self.home, self.content = (self.start(name) for name in ("home", "content"))
        self.url = f"http://127.0.0.1:{self.home.server_address[1]}"
        self.content_url = f"http://127.0.0.1:{self.content.server_address[1]}"

    def start(self, name):
        hub = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                hub.log.append((name, self.path, self.headers.get("Range"), self.headers.get("Authorization")))
                try:
                    hub.answer(self, name)
                except (BrokenPipeError, ConnectionResetError):
                    pass
                self.close_connection = True

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server

    def close(self):
        for server in (self.home, self.content):
            server.shutdown()
            server.server_close()

    def fetched(self, name):
        """Ranges in which a large file was asked for."""
        return [at for server, path, at, _ in self.log if server == "content" and path.endswith("/" + name)]

    def files(self, model):
        folder = self.models[model]
        return sorted(path for path in folder.rglob("*") if path.is_file())

    def rows(self, model):
        for path in self.files(model):
            data = path.read_bytes()
            yield str(path.relative_to(self.models[model])), data

    @staticmethod
    def send_json(request, value, link=None):
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        request.send_response(200)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(body)))
        if link:
            request.send_header("Link", link)
        request.end_headers()
        request.wfile.write(body)

    @staticmethod
    def send_status(request, status):
        request.send_response(status)
        request.send_header("Content-Length", "0")
        request.end_headers()

    def answer(self, request, server):
        parts = urllib.parse.urlsplit(request.path)
        query = urllib.parse.parse_qs(parts.query)
        words = urllib.parse.unquote(parts.path).strip("/").split("/")
        if server == "content":
            self.send_large(request, "/".join(words[:2]), "/".join(words[2:]))
        elif self.mischief.token and request.headers.get("Authorization") != f"Bearer {self.mischief.token}":
            self.send_status(request, 401)
        elif words[:3] == ["api", "v1", "models"]:
            self.answer_modelscope(request, "/".join(words[3:5]), words[5:], query)
        elif words[:2] == ["api", "models"]:
            self.answer_api(request, "/".join(words[2:4]), words[4:], query)
        elif len(words) > 4 and words[2] == "resolve":
            self.send_file(request, "/".join(words[:2]), "/".join(words[4:]))
        else:
            self.send_status(request, 404)

    def answer_api(self, request, model, rest, query):
        if model not in self.models:
            self.send_status(request, 404)
        elif rest[0] == "revision":
            self.send_json(request, {"id": model, "sha": COMMIT})
        elif self.mischief.listing is not None:
            self.send_json(request, self.mischief.listing)
        else:
            rows = [{"type": "directory", "oid": COMMIT, "size": 0, "path": "figures"}]
            for path, data in self.rows(model):
                row = {"type": "file", "oid": git_blob(data), "size": len(data), "path": path}
                if len(data) > LFS_BYTES:
                    row["lfs"] = {"oid": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 135}
                rows.append(row)
            begin = int(query.get("cursor", ["0"])[0])
            end = begin + self.mischief.page_rows
            more = end < len(rows) or self.mischief.endless_pages
            link = f'<{self.url}{urllib.parse.urlsplit(request.path).path}?recursive=true&cursor={end}>; rel="next"' if more else None
            self.send_json(request, rows[begin:end], link)

    def answer_modelscope(self, request, model, rest, query):
        if model not in self.models:
            self.send_status(request, 404)
        elif rest == ["repo", "files"]:
            rows = [{"Name": "figures", "Path": "figures", "Type": "tree", "Size": 0, "Sha256": ""}]
            for path, data in self.rows(model):
                rows.append({"Name": path.rsplit("/", 1)[-1], "Path": path, "Type": "blob", "Size": len(data), "Sha256": hashlib.sha256(data).hexdigest()})
            self.send_json(request, self.mischief.listing or {"Code": 200, "Success": True, "Data": {"Files": rows}})
        else:
            self.send_file(request, model, query["FilePath"][0])

    def send_file(self, request, model, path):
        data = (self.models[model] / path).read_bytes()
        if len(data) <= LFS_BYTES:
            self.send_body(request, path, data)
            return
        request.send_response(302)
        where = self.mischief.redirect_to or (request.path if self.mischief.redirect_loop else f"{self.content_url}/{model}/{path}")
        request.send_header("Location", where)
        request.send_header("Content-Length", "0")
        request.end_headers()

    def send_large(self, request, model, path):
        if self.mischief.statuses:
            self.send_status(request, self.mischief.statuses.pop(0))
            return
        self.send_body(request, path, (self.models[model] / path).read_bytes(), self.mischief.drops.pop(0) if self.mischief.drops else None)

    def send_body(self, request, path, data, drop=None):
        if path in self.mischief.wrong_bytes:
            data = data[:-1] + bytes([data[-1] ^ 1])
        if path in self.mischief.endless:
            request.send_response(200)
            request.end_headers()
            while True:
                request.wfile.write(bytes(65536))
        etag = f'"{self.mischief.etag or hashlib.sha256(data).hexdigest()}"'
        wanted = request.headers.get("Range")
        is_same = request.headers.get("If-Range", etag) == etag
        if wanted and is_same and not self.mischief.ignores_range:
            first, _, last = wanted.removeprefix("bytes=").partition("-")
            end = min(int(last) + 1 if last else len(data), len(data))
            part = (self.mischief.beginning.get(path, data) if first == "0" and last else data)[int(first):end]
            request.send_response(206)
            begin = int(first) + (1 if self.mischief.wrong_range else 0)
            request.send_header("Content-Range", f"bytes {begin}-{end - 1}/{len(data)}")
        else:
            part = data
            request.send_response(200)
        if path in self.mischief.wrong_length:
            part += b"x"
        request.send_header("Content-Length", str(len(part)))
        request.send_header("ETag", etag)
        request.end_headers()
        request.wfile.write(part[:drop])
