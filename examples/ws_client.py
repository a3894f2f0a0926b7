#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Hands a goal to a running handeyed and prints what happens (needs the package python3-websockets).

    ws_client.py GOAL [--window TITLE | --headless WxH --launch COMMAND] [--platform x11] [--daemon unix:PATH | HOST:PORT] [--token-file FILE]
"""
import argparse
import asyncio
import json
import os
import sys

import websockets


def default_daemon():
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    folder = os.path.join(runtime, "handeye") if runtime else f"/tmp/handeye-{os.getuid()}"
    return "unix:" + os.path.join(folder, "handeyed.sock")


class Client:
    """JSON-RPC calls and the notifications that come between them."""

    def __init__(self, socket):
        self.socket = socket
        self.last_id = 0
        self.notifications = []

    async def call(self, method, **params):
        self.last_id += 1
        await self.socket.send(json.dumps({"jsonrpc": "2.0", "id": self.last_id, "method": method, "params": params}))
        while True:
            message = json.loads(await self.socket.recv())
            if "method" in message:
                self.notifications.append(message)
            elif message.get("id") == self.last_id:
                if "error" in message:
                    error = message["error"]
                    raise SystemExit(f"{method}: {error['data']['kind']}: {error['message']}")
                return message["result"]

    async def next_notification(self):
        if self.notifications:
            return self.notifications.pop(0)
        return json.loads(await self.socket.recv())


def connect(daemon):
    if daemon.startswith("unix:"):
        return websockets.unix_connect(daemon[5:], "ws://localhost/ws", max_size=16 << 20)
    return websockets.connect(f"ws://{daemon}/ws", max_size=16 << 20)


async def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("goal")
    parser.add_argument("--window", default="")
    parser.add_argument("--headless", default="", help="a screen of its own, WIDTHxHEIGHT")
    parser.add_argument("--launch", action="append", default=[], help="a program to start there (repeatable)")
    parser.add_argument("--platform", default="x11")
    parser.add_argument("--daemon", default=default_daemon())
    parser.add_argument("--token-file")
    options = parser.parse_args()
    identity = {"protocol": 1, "client": "ws_client.py"}
    if options.token_file:
        with open(options.token_file, encoding="ascii") as file:
            identity["token"] = file.read().strip()
    async with connect(options.daemon) as socket:
        client = Client(socket)
        hello = await client.next_notification()
        print(f"hello from {hello['params']['server']} {hello['params']['version']}")
        await client.call("connection.identify", **identity)
        wanted = {"window": options.window, "headless": options.headless, "launch": options.launch}
        target = {key: value for key, value in wanted.items() if value}
        session = (await client.call("session.create", platform=options.platform, target=target))["session"]
        await client.call("events.subscribe", sessions=[session], from_seq=1)
        await client.call("task.run", session=session, goal=options.goal)
        while True:
            message = await client.next_notification()
            if message["method"] != "event":
                continue
            data, kind = message["params"]["data"], message["params"]["type"]
            if kind == "action.proposed":
                print(f"step {data.get('step')}  {data.get('summary', '')}", end="", flush=True)
            elif kind == "task.step_finished":
                print(f"  {data.get('result', '')}")
            elif kind == "task.finished":
                print(f"outcome: {data['outcome']}")
                await client.call("session.close", session=session)
                return 0 if data["outcome"] == "done" else 1


if __name__ == "__main__":
    try:
        sys.exit(asyncio.run(main()))
    except OSError as problem:
        sys.exit(f"ws_client.py: no handeyed there: {problem}")
