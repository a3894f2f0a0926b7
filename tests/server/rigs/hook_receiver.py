# SPDX-License-Identifier: Apache-2.0
"""An HTTP or HTTPS server that receives webhooks. Sends its port, then each request as JSON, as datagrams to a Unix socket.
usage: hook_receiver.py SOCKET ok|busy-once|redirect|no|hang [CERT KEY]"""

import http.server
import json
import socket
import ssl
import sys

mode, seen = sys.argv[2], 0
out = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)


def say(text):
    out.sendto(text.encode(), sys.argv[1])


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        global seen
        seen += 1
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        say(json.dumps({"path": self.path, "host": self.headers["Host"], "type": self.headers["Content-Type"], "body": body}))
        if mode == "hang":
            self.rfile.read(1)  # until the other side has had enough
            return
        status = {"ok": 204, "busy-once": 503 if seen == 1 else 200, "redirect": 307, "no": 404}[mode]
        self.send_response(status)
        if status == 307:
            self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
if len(sys.argv) > 4:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[3], sys.argv[4])
    server.socket = context.wrap_socket(server.socket, server_side=True)
say(str(server.server_port))
server.serve_forever()
