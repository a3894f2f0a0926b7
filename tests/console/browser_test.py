#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The console in a real Chromium, at a real handeyed with the bundled model on a headless screen.

browser_test.py BIN_DIR [unittest options]; needs chromium, xvfb and openbox. With HANDEYE_SHOTS set to a folder, the whole task
also leaves pictures there (docs/img is made so, see tools/console_shots.sh)."""
import base64
import json
import os
import re
import struct
import subprocess
import sys
import time
import unittest
import zlib

from chromium import Chromium
from daemon import Daemon
from page import GOAL, Page

WANT = {"checks": {"Agree": True}, "clicked": ["Save"], "fields": {"Name": "Ada"}}
MARKUP = '<img src=x onerror="document.title=1"><script>document.title=2</script>'
BINARIES = ""


def red_square(side):
    """A PNG, written by hand."""
    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    rows = (b"\0" + b"\xff\0\0" * side) * side
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


class ConsoleTest(unittest.TestCase):
    def setUp(self):
        self.daemon = Daemon(BINARIES)
        self.addCleanup(self.daemon.__exit__)

    def page(self, **options):
        page = Page(self.daemon, **options)
        self.addCleanup(page.close)
        return page

    def whole_task(self, **options):
        """A task with an approval for each action, a take-over in the middle, and its timeline afterwards."""
        page = self.page(**options)
        page.start_session(self.daemon, GOAL, "whole.json", ask=True)
        page.wait("document.querySelector('.approval')", "the first approval")
        page.wait("Number(document.querySelector('canvas.pixels')?.dataset.painted) > 0", "a live picture")
        self.assertLessEqual(page.evaluate("document.documentElement.scrollWidth"), page.evaluate("innerWidth"), "wider than the window")
        self.assertTrue(page.middle_of("#stop"), "Stop is in reach")
        page.click(".approval button", "Approve")
        page.wait("document.querySelectorAll('.steps .step').length > 1", "the second step")
        self.take_over_and_give_back(page)
        approvals = page.approve_all("['done','unconfirmed'].includes(document.querySelector('.head .badge')?.textContent)")
        self.assertGreaterEqual(approvals, 1)
        self.assertEqual(self.daemon.wait_answer("whole.json"), WANT, page.text())
        page.shot("done.png")
        page.view("timeline")
        page.click(".lines a")
        page.wait("document.querySelectorAll('.steps .step').length >= 4", "the steps of the recording")
        page.wait("Number(document.querySelector('canvas.pixels')?.dataset.painted) > 0", "a recorded picture")
        page.shot("timeline.png")
        self.assertEqual(page.complaints, [])

    def take_over_and_give_back(self, page):
        page.click(".controls button", "Take over")
        page.wait("document.querySelector('.screen.held')", "the person holds the screen")
        page.wait("document.querySelector('.head')?.textContent.includes('taken over')", "the agent is told")
        page.shot("held.png")
        self.assertEqual(self.daemon.clicked("whole.json"), [])
        page.click(".controls button", "Give back")
        page.wait("!document.querySelector('.screen.held')", "given back")

    def test_a_whole_task_with_approval_and_take_over_on_a_desktop(self):
        self.whole_task(width=1200, height=800)

    def test_a_whole_task_with_approval_and_take_over_on_a_phone(self):
        self.whole_task(width=390, height=844, mobile=True, dark=True)

    def test_a_person_fills_the_form_with_mouse_and_keyboard(self):
        page = self.page()
        page.start_session(self.daemon, "", "hand.json")
        page.wait("Number(document.querySelector('canvas.pixels')?.dataset.painted) > 0", "a live picture")
        page.click(".controls button", "Take over")
        page.wait("document.querySelector('.screen.held')", "the person holds the screen")
        box = page.middle_of("canvas.pixels")

        def click(x, y):  # in pixels of the 336x224 screen
            page.click_at(box["left"] + (x + 0.5) / 336 * box["width"], box["top"] + (y + 0.5) / 224 * box["height"])

        click(200, 50)
        for letter in "Ada":
            page.press(letter, letter)
        click(22, 84)
        click(302, 197)
        self.assertEqual(self.daemon.wait_answer("hand.json"), WANT)
        self.assertEqual(page.complaints, [])

    def test_deny_reaches_the_model_and_nothing_is_clicked(self):
        page = self.page()
        page.start_session(self.daemon, GOAL, "denied.json", ask=True)
        page.approve_all("['denied','stuck','needs person','failed'].includes(document.querySelector('.head .badge')?.textContent)", "Deny")
        self.assertEqual(self.daemon.clicked("denied.json"), [])

    def test_what_a_task_file_asks_is_answered_on_the_page(self):
        page = self.page()
        (self.daemon.folder / "asks.yaml").write_text("""version: 1
name: asks
steps:
  - ask: {question: "Which <b>one</b>?", choices: [red, blue], as: colour}
  - ask: {question: "And how many?", as: number}
  - assert: {expr: "outputs.colour == 'blue' and outputs.number == '12'"}
""")
        with subprocess.Popen([self.daemon.bin / "handeye", "run", "asks.yaml", "--headless", "336x224", "--launch", self.daemon.form_command("Contact", "asks.json")],
                              env=self.daemon.environment, cwd=self.daemon.folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as client:
            page.wait("document.querySelector('#waits').textContent === '1 question waits'", "the question is told of")
            page.view("approvals")
            page.wait("document.querySelector('.question .deed')?.textContent === 'Which <b>one</b>?'", "its words, as they are")
            self.assertRegex(page.evaluate("document.querySelector('.question header b').textContent"), r"(4 min \d+ s|5 min) left")
            page.shot("question.png")
            page.click(".question button", "blue")
            page.wait("document.querySelector('.question .deed')?.textContent === 'And how many?'", "the second question")
            page.view("session/" + page.evaluate("document.querySelector('.question dd a').hash.split('/')[2]"))
            page.wait("document.querySelector('.live .question input')", "it also stands where its session is shown")
            page.fill(".question input", "12")
            page.click(".question button", "Answer")
            page.wait("document.querySelector('#waits').textContent === ''", "nothing waits")
            self.assertEqual(client.wait(timeout=60), 0, client.stdout.read())
        self.assertEqual(page.complaints, [])

    def test_stop_stops_everything_until_it_is_reset(self):
        page = self.page()
        page.start_session(self.daemon, GOAL, "stopped.json", ask=True)
        page.wait("document.querySelector('.approval')", "the first approval")
        page.click("#stop")
        self.assertEqual(page.outcome(), "stopped")
        page.wait("!document.querySelector('#reset').hidden", "the latch is shown")
        page.click("#reset")
        page.wait("document.querySelector('#reset').hidden", "the latch is gone")
        self.assertEqual(self.daemon.clicked("stopped.json"), [])

    def test_markup_in_goal_title_and_answer_stays_text(self):
        page = self.page()
        page.start_session(self.daemon, MARKUP, "markup.json", title=MARKUP)
        page.wait("document.querySelector('.head h1')?.textContent.includes('onerror')", "the goal as text")
        page.evaluate(f"""(async () => {{
            const {{stepLine}} = await import("/ui/steps.js");
            const text = {MARKUP!r};
            const step = {{number: 1, proposed: {{action: {{}}, summary: text, thought: text, call: text}}, result: text, timings: null}};
            document.querySelector(".steps").append(stepLine(step, false, () => {{}}));
            const {{Approvals}} = await import("/ui/approvals.js");
            const app = {{call: () => Promise.reject(new Error(text)), notice: () => {{}}}};
            document.querySelector(".stage").append(new Approvals(app, () => {{}}).card({{approval: "x", action: {{verb: text}}, reason: text, rule: text, expires_at: "2999-01-01"}}));
        }})()""")
        page.view("sessions")
        page.wait("document.querySelector('.lines .what')?.textContent.includes('onerror')", "the goal in the list")
        page.view("timeline")
        page.wait("document.querySelector('.lines .what')?.textContent.includes('onerror')", "the goal in the timeline")
        self.assertFalse(page.evaluate("document.querySelector('main img, main script') !== null"))
        self.assertTrue(page.evaluate("document.title").endswith("handeye console"))
        self.assertEqual(page.complaints, [])

    def test_the_policy_stops_inline_script_and_foreign_addresses(self):
        page = self.page()
        page.evaluate("""(() => { const script = document.createElement("script"); script.textContent = "window.pwned = 1";
            document.head.append(script); })()""")
        page.evaluate("fetch('http://127.0.0.1:9/').catch(() => 0)")
        self.assertIsNone(page.evaluate("window.pwned"))
        said = " ".join(page.complaints)
        self.assertIn("Content Security Policy", said)
        self.assertIn("connect-src", said)

    def test_a_ticket_lets_one_page_in_and_leaves_the_address(self):
        page = self.page()
        self.assertNotIn("ticket", page.evaluate("location.href"))
        second = Chromium(800, 600)
        self.addCleanup(second.close)
        second.go(page.opened["url"])
        second.wait("document.querySelector('#link')?.textContent === 'disconnected'", "the used ticket is refused")
        self.assertIn("used", second.text())
        self.assertTrue(second.evaluate("document.querySelector('#stop').disabled"))

    def test_the_ticket_stands_in_no_command_line(self):
        """A stand-in for xdg-open notes what it is given; a browser then follows the file as any would."""
        tools = self.daemon.folder / "tools"
        tools.mkdir()
        opener = tools / "xdg-open"
        opener.write_text(f'#!/bin/sh\necho "$@" >{tools}/argv\nstat -c %a "$1" >{tools}/mode\ncp "$1" {tools}/page\nmv {tools}/argv {tools}/opened\n')
        opener.chmod(0o700)
        environment = dict(self.daemon.environment, PATH=f"{tools}:{os.environ['PATH']}")
        command = subprocess.Popen([self.daemon.bin / "handeye", "console"], env=environment, stdout=subprocess.PIPE, text=True)
        self.addCleanup(command.communicate)
        self.addCleanup(command.kill)
        while not (tools / "opened").exists():
            self.assertIsNone(command.poll())
            time.sleep(0.02)
        file = (tools / "opened").read_text().strip()
        ticket = re.search(r"#.*?([0-9a-f]{64})", (tools / "page").read_text()).group(1)
        self.assertNotIn(ticket, file)
        self.assertEqual((tools / "mode").read_text().strip(), "600")
        browser = Chromium(800, 600)
        self.addCleanup(browser.close)
        browser.go(f"file://{file}")
        browser.wait("document.querySelector('#link')?.textContent === 'connected'", "the page behind the file")
        self.assertEqual(command.wait(timeout=60), 0)
        self.assertFalse(os.path.exists(file))

    def test_a_reload_comes_back(self):
        page = self.page()
        page.send("Page.reload")
        page.wait("document.querySelector('#link')?.textContent === 'connecting' || document.querySelector('textarea')")
        page.wait_connected()

    def test_chat_keeps_thinking_out_of_the_history(self):
        page = self.page()
        page.view("chat")
        made = page.evaluate("""(async () => {
            const {toMessages} = await import("/ui/chat.js");
            return JSON.stringify(await toMessages([{role: "user", text: "a", pictures: []},
                {role: "assistant", text: "b", thinking: "secret thought", pictures: []}, {role: "user", text: "c", pictures: []}], 1 << 20));
        })()""")
        self.assertEqual(made.count("role"), 3)
        self.assertNotIn("secret thought", made)
        page.wait("document.querySelector('textarea')")
        page.fill("textarea", "What is this?")
        page.click("button", "Send")
        page.wait("document.querySelector('.bubble-assistant') && document.querySelector('form .primary').textContent === 'Send'", "an answer")
        self.assertTrue(page.evaluate("document.querySelector('.bubble-assistant').textContent.trim().length > 0"))
        self.assertEqual(page.complaints, [])

    def test_chat_takes_a_picture(self):
        page = self.page(width=390, height=844, mobile=True)
        page.view("chat")
        page.wait("document.querySelector('#pick')")
        page.evaluate(f"""(async () => {{
            const bytes = Uint8Array.from(atob({base64.b64encode(red_square(96)).decode()!r}), (c) => c.charCodeAt(0));
            const files = new DataTransfer();
            files.items.add(new File([bytes], "red.png", {{type: "image/png"}}));
            const pick = document.querySelector("#pick");
            pick.files = files.files;
            pick.dispatchEvent(new Event("change"));
        }})()""")
        page.wait("document.querySelector('.tray img')?.complete", "the picture before it is sent")
        page.fill("textarea", "What is this?")
        page.shot("chat.png")
        page.click("button", "Send")
        page.wait("document.querySelector('.bubble-user img')", "the picture in the conversation")
        page.wait("document.querySelector('form .primary').textContent === 'Send'", "an answer")
        self.assertTrue(page.evaluate("document.querySelector('.bubble-assistant').textContent.trim().length > 0"))
        self.assertIsNone(page.evaluate("document.querySelector('.tray img')"))
        self.assertGreater(json.loads(subprocess.run([self.daemon.bin / "handeye", "engine", "stats", "--json"], env=self.daemon.environment, check=True,
                                                     stdout=subprocess.PIPE).stdout)["prompt_tokens"], 0)
        self.assertLessEqual(page.evaluate("document.documentElement.scrollWidth"), page.evaluate("innerWidth"), "wider than the window")
        page.shot("chat-answer.png")
        self.assertEqual(page.complaints, [])

    def test_a_recording_is_saved_as_a_file(self):
        page = self.page()
        session = page.start_session(self.daemon, GOAL, "saved.json")
        page.outcome()
        downloads = self.daemon.folder / "downloads"
        page.send("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(downloads))
        page.view(f"timeline/{session}")
        for label, name in (("Save the events (JSON lines)", "jsonl"), ("Save the report (HTML)", "html")):
            page.click("button", label)
            file = downloads / f"handeye-{session}.{name}"
            deadline = time.monotonic() + 60
            while not file.exists() and time.monotonic() < deadline:
                time.sleep(0.02)
            self.assertIn(GOAL, file.read_text())
        events = [json.loads(line) for line in (downloads / f"handeye-{session}.jsonl").read_text().splitlines()]
        self.assertEqual([event["seq"] for event in events], list(range(1, len(events) + 1)))
        self.assertEqual(page.complaints, [])

    def test_the_engine_view_shows_the_model(self):
        page = self.page()
        page.view("engine")
        page.wait("document.querySelector('main').textContent.includes('nano')", "the model's name")
        self.assertEqual(page.complaints, [])

    def test_every_view_can_be_reached_by_the_keyboard(self):
        page = self.page()
        page.wait("document.querySelector('textarea[name=goal]')")
        seen = set()
        for _ in range(40):
            page.press("Tab", code=9)
            seen.add(page.evaluate("document.activeElement.id || document.activeElement.textContent.trim() || document.activeElement.name"))
        for wanted in ("Sessions", "Approvals", "Timeline", "Engine", "Chat", "stop", "goal", "Start"):
            self.assertTrue(any(wanted in one for one in seen), f"{wanted} is not reached: {seen}")


if __name__ == "__main__":
    BINARIES = sys.argv.pop(1)
    unittest.main(verbosity=2)
