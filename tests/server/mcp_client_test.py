# SPDX-License-Identifier: Apache-2.0
"""The `mcp` client from PyPI against the daemon: over stdio (`handeye mcp`) and over HTTP, in both revisions of the protocol.
Arguments: handeye, handeyed. Skipped (77) where the module, Xvfb or a window manager is not installed."""

import asyncio
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

try:
    from mcp import StdioServerParameters
    from mcp.client import Client
    from mcp.client.stdio import stdio_client
    from mcp.client.streamable_http import create_mcp_http_client, streamable_http_client
except ImportError as problem:
    print(f"skipped: the mcp client is not installed ({problem})")
    sys.exit(77)
if not shutil.which("Xvfb"):
    print("skipped: no Xvfb")
    sys.exit(77)

TOOLS = ["session_open", "session_close", "look", "act", "type_text", "run_task", "task_status", "recordings", "approve_status"]


async def use(client):
    listed = await client.list_tools()
    assert [tool.name for tool in listed.tools] == TOOLS, listed
    opened = await client.call_tool("session_open", {"platform": "x11", "target": {"headless": "320x240"}})
    assert not opened.is_error, opened
    session = opened.structured_content["session"]
    seen = await client.call_tool("look", {"session": session})
    assert seen.content[0].type == "image" and seen.content[0].mime_type == "image/png", seen
    acted = await client.call_tool("act", {"session": session, "action": {"verb": "hover", "x": 20, "y": 30}})
    assert acted.structured_content["landed"] == {"x": 20, "y": 30}, acted
    refused = await client.call_tool("look", {"session": "nowhere"})
    assert refused.is_error and "no_such_session" in refused.content[0].text, refused
    kept = await client.call_tool("recordings", {})
    assert session in [row["session"] for row in kept.structured_content["recordings"]], kept
    await client.call_tool("session_close", {"session": session})


async def over_stdio(program, socket, mode):
    server = StdioServerParameters(command=program, args=["mcp", "--daemon", f"unix:{socket}"], env=dict(os.environ))
    async with Client(stdio_client(server), mode=mode) as client:
        await use(client)
        return client.session.protocol_version


async def over_http(port, token, mode):
    http = create_mcp_http_client(headers={"Authorization": f"Bearer {token}"})
    async with http, Client(streamable_http_client(f"http://127.0.0.1:{port}/mcp", http_client=http), mode=mode) as client:
        await use(client)
        return client.session.protocol_version


def main(program, daemon):
    with tempfile.TemporaryDirectory(prefix="handeye-mcp-") as folder:
        root = pathlib.Path(folder)
        token = "a" * 64
        (root / "token").write_text(token)
        (root / "token").chmod(0o600)
        command = [daemon, "--listen", f"unix:{root}/run/d.sock", "--listen", "127.0.0.1:0", "--token-file", str(root / "token")]
        environment = {**os.environ, "XDG_STATE_HOME": str(root / "state"), "XDG_CONFIG_HOME": str(root / "config")}
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
        try:
            port = 0
            while port == 0:
                line = process.stderr.readline()
                assert line, "handeyed ended"
                found = re.search(r"listening on 127\.0\.0\.1:(\d+)", line)
                port = int(found.group(1)) if found else 0
            for mode, version in (("legacy", "2025-11-25"), ("auto", "2026-07-28")):
                assert asyncio.run(over_stdio(program, root / "run" / "d.sock", mode)) == version
                print(f"stdio {version}: passed")
                assert asyncio.run(over_http(port, token, mode)) == version
                print(f"http {version}: passed")
        finally:
            process.terminate()
            process.wait()


if __name__ == "__main__":
    main(*sys.argv[1:3])
