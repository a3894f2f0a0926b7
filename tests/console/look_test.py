#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""How the console looks and reads, in a real Chromium at a real handeyed: what a person is told, and that each view can be read,
reached and stopped at a desktop's and a phone's width, in both colour schemes.

look_test.py BIN_DIR [unittest options]; needs chromium, xvfb and openbox. HANDEYE_SHOTS: a folder for pictures."""
import re
import sys
import unittest

from chromium import Chromium
from daemon import Daemon
from page import GOAL, Page

BINARIES = ""
PHONE = {"width": 390, "height": 844, "mobile": True}
DESKTOP = {"width": 1280, "height": 860}
TOP_PX_MAX = 64  # one line with Stop in it
LINE_PX_MAX = 30
GOAL_PX_MIN = 200  # of a goal in a list: enough to tell one from another
CONTRAST_MIN = 4.5  # WCAG 2.2, 1.4.3
NAMED_ROLES = ("button", "link", "textbox", "combobox", "spinbutton", "checkbox", "image", "application")

# Texts whose contrast with what is behind them is too low, as "text: ratio".
PALE_TEXTS = """(() => {
  const parts = (colour) => { const [r, g, b, a = 1] = colour.match(/[\\d.]+/g).map(Number); return [r, g, b, a]; };
  const over = (top, under) => top.slice(0, 3).map((v, i) => v * top[3] + under[i] * (1 - top[3]));
  const light = (rgb) => rgb.map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (element) => {
    if (!element) return [255, 255, 255];
    const own = parts(getComputedStyle(element).backgroundColor);
    return own[3] === 1 ? own.slice(0, 3) : over(own, behind(element.parentElement));
  };
  const pale = (element, style, text) => {
    const back = behind(element);
    const ink = parts(style.color);
    const [a, b] = [light(over([...ink.slice(0, 3), ink[3] * Number(style.opacity)], back)), light(back)];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    return ratio < MIN ? `${text.trim().slice(0, 40)}: ${ratio.toFixed(2)}` : null;
  };
  return [...document.querySelectorAll("body *")].filter((e) => e.checkVisibility({visibilityProperty: true}) && !e.disabled).flatMap((e) => [
    [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()) ? pale(e, getComputedStyle(e), e.textContent) : null,
    e.placeholder ? pale(e, getComputedStyle(e, "::placeholder"), e.placeholder) : null,
  ]).filter(Boolean);
})()""".replace("MIN", str(CONTRAST_MIN))

# Whether Stop is what a finger on its middle would press.
STOP_IN_REACH = """(() => { const box = document.querySelector("#stop").getBoundingClientRect();
  return box.top >= 0 && box.bottom <= innerHeight && box.right <= innerWidth
    && document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2)?.id === "stop"; })()"""

# What has the focus, and whether that shows: [words, does it show].
FOCUS = """(() => { const one = document.activeElement;
  const shown = one.matches(".away") ? one.previousElementSibling : one;
  const style = getComputedStyle(shown);
  return [one.id || one.getAttribute("aria-label") || one.name || one.innerText.trim(), one === document.body || (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2)]; })()"""


def overlap(page, first, second):
    """Whether two elements cover each other."""
    return page.evaluate(f"""(() => {{ const [a, b] = [{first!r}, {second!r}].map((s) => document.querySelector(s).getBoundingClientRect());
        return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom; }})()""")


class LookTest(unittest.TestCase):
    def setUp(self):
        self.daemon = Daemon(BINARIES)
        self.addCleanup(self.daemon.__exit__)

    def page(self, **options):
        page = Page(self.daemon, **options)
        self.addCleanup(page.close)
        return page

    def look_at(self, page, view):
        """All that must be true of any view."""
        self.assertEqual(page.evaluate(PALE_TEXTS), [], view)
        self.assertLessEqual(page.evaluate("document.documentElement.scrollWidth"), page.evaluate("innerWidth"), f"{view}: wider than the window")
        self.assertLessEqual(page.evaluate("document.querySelector('.top').offsetHeight"), TOP_PX_MAX, f"{view}: the top line is broken")
        for where in ("0", "document.body.scrollHeight"):
            page.evaluate(f"scrollTo(0, {where})")
            self.assertTrue(page.evaluate(STOP_IN_REACH), f"{view}: Stop is out of reach")
        page.evaluate("scrollTo(0, 0)")
        unnamed = [node for node in page.send("Accessibility.getFullAXTree")["nodes"] if not node["ignored"]
                   and node["role"]["value"] in NAMED_ROLES and not re.search(r"\w", node.get("name", {}).get("value", ""))]
        self.assertEqual(unnamed, [], f"{view}: without a name for who does not see it")

    def look_at_all(self, name, **options):
        page = self.page(**options)
        session = page.start_session(self.daemon, GOAL, f"{name}.json", ask=True)
        page.wait("document.querySelector('.approval .crop')?.width > 16", "the first approval with its picture")
        page.wait("Number(document.querySelector('canvas.pixels')?.dataset.painted) > 0", "a live picture")
        self.look_at(page, "session")
        page.shot(f"{name}-session.png")
        for view, ready in (("approvals", "document.querySelector('.approval .goal')?.textContent.startsWith('Set')"),
                            ("sessions", "document.querySelector('.lines .badge')"), ("timeline", "document.querySelector('.lines .what')?.textContent.startsWith('Set')"),
                            (f"timeline/{session}", "document.querySelector('.step')"), ("engine", "document.querySelector('.facts')"),
                            ("chat", "document.querySelector('.ask textarea')")):
            page.view(view)
            page.wait(ready, view)
            self.look_at(page, view)
            self.assertGreaterEqual(page.evaluate("document.querySelector('.lines .what')?.offsetWidth ?? 999"), GOAL_PX_MIN, f"{view}: its goals are squeezed")
            page.shot(f"{name}-{view.split('/')[0]}{'-one' if '/' in view else ''}.png")
        page.click("#stop")
        page.wait("document.querySelector('#notices .note')", "what Stop has done")
        for other in ("main h1", "#stop", "#reset", ".ask"):
            self.assertFalse(overlap(page, "#notices .note", other), f"the notice covers {other}")
        self.look_at(page, "stopped")
        page.shot(f"{name}-stopped.png")
        page.view("session/none")
        page.wait("document.querySelector('#notices .note.bad')", "an error, which stays")
        page.press("Escape", code=27)
        self.assertIsNone(page.evaluate("document.querySelector('#notices .note.bad')"), "Esc puts it away")
        self.assertEqual(page.complaints, [])

    def test_every_view_on_a_desktop(self):
        self.look_at_all("desktop", **DESKTOP)

    def test_every_view_on_a_desktop_in_the_dark(self):
        self.look_at_all("desktop-dark", **DESKTOP, dark=True)

    def test_every_view_on_a_phone(self):
        self.look_at_all("phone", **PHONE)

    def test_every_view_on_a_phone_in_the_dark(self):
        self.look_at_all("phone-dark", **PHONE, dark=True)

    def test_every_view_on_a_narrow_phone(self):
        self.look_at_all("narrow", width=320, height=640, mobile=True)

    def test_every_view_on_a_tablet(self):
        self.look_at_all("tablet", width=1000, height=700)

    def test_a_long_text_says_how_long_it_is(self):
        page = self.page(**PHONE)
        page.wait("document.querySelector('textarea[name=goal]')", "the first view, which the card takes the place of")
        page.evaluate("""(async () => {
            const {Approvals} = await import("/ui/approvals.js");
            const app = {call: () => Promise.reject(new Error("no picture"))};
            const action = {action: {verb: "type", text: "rm\\n" + "x".repeat(5000), element_info: "y".repeat(5000)}, target: []};
            document.querySelector("main").replaceChildren(new Approvals(app, () => {}).card({approval: "x", step: 1, action, reason: "", rule: "r", expires_at: "2999-01-01"}));
        })()""")
        words = page.evaluate("document.querySelector('.approval').innerText")
        self.assertRegex(words, r"(?i)letters\s+5,003")
        self.assertNotIn("y" * 81, words)
        self.assertTrue(page.evaluate("(() => { const box = document.querySelector('.deed'); return box.scrollHeight > box.clientHeight && box.clientHeight < innerHeight / 3; })()"))
        self.assertLess(page.evaluate("[...document.querySelectorAll('.approval button')].at(0).getBoundingClientRect().bottom"), 844, "the answers are in view")

    def test_what_waits_is_told_everywhere_and_its_card_says_what_it_is_for(self):
        page = self.page(**PHONE)
        session = page.start_session(self.daemon, GOAL, "waits.json", ask=True)
        page.wait("document.querySelector('.approval')", "the first approval")
        page.view("timeline")
        page.wait("document.querySelector('#tabs .waits .bubble')?.textContent === '1'", "the tab says so")
        page.wait("document.title.startsWith('(1) Timeline')", "so does the window")
        self.assertEqual(page.evaluate("document.querySelector('#waits').textContent"), "1 approval waits")
        page.click("#tabs .waits")
        page.wait(f"document.querySelector('.approval .goal')?.textContent === {GOAL!r}", "the goal it is for")
        words = page.evaluate("document.querySelector('.approval').innerText")
        self.assertRegex(words, r"Click at \(\d+, \d+\)")
        self.assertRegex(words, r"(4 min \d+ s|5 min) left")
        self.assertIn("ask me first", words)
        self.assertIn("“Name”", words, "what the model calls it")
        self.assertEqual(page.evaluate("document.querySelector('.approval dd a').hash"), f"#/session/{session}")
        self.assertLessEqual(page.evaluate("""(() => { const line = document.querySelector('.approval header');
            line.querySelector('b').textContent = '4 min 59 s left'; // the widest that it says by default
            return line.offsetHeight; })()"""), LINE_PX_MAX, "who wants it and until when: one line")
        page.approve_all("document.querySelector('.approval .deed')?.textContent === 'Type “Ada”'")
        page.shot("approvals.png")
        page.click("#stop")
        page.wait("!document.querySelector('#tabs .waits')", "nothing waits")
        self.assertEqual(page.evaluate("document.title"), "Approvals · handeye console")
        self.assertEqual(page.complaints, [])

    def test_a_session_keeps_its_goal_and_outcome_when_it_is_closed(self):
        page = self.page()
        page.start_session(self.daemon, GOAL, "closed.json")
        outcome = page.outcome()
        self.assertRegex(page.evaluate("document.querySelector('.meters').innerText"), r"Time\s+\d+ s of 1 h")
        page.view("sessions")
        page.click(".lines button", "Close")
        page.wait("document.querySelector('.lines .soft')?.textContent.startsWith('closed')", "the session closed")
        self.assertEqual(page.evaluate("document.querySelector('.lines .what').textContent"), GOAL)
        self.assertEqual(page.evaluate("document.querySelector('.lines .badge').textContent"), outcome)
        page.shot("closed.png")
        page.click(".lines a")
        page.wait("document.querySelectorAll('.step').length >= 4", "its recording")
        self.assertEqual(page.complaints, [])

    def test_a_ticket_that_is_not_good_leads_to_a_page_that_says_what_to_do(self):
        page = self.page()
        used = page.opened["url"]
        for name, url in (("used", used), ("wrong", used[:-64] + "0" * 64), ("cut short", used[:-9]), ("missing", used.split("#")[0])):
            with self.subTest(name):
                other = Chromium(390, 844)
                self.addCleanup(other.close)
                other.go(url)
                other.wait("document.querySelector('#link')?.textContent === 'disconnected'", "refused")
                self.assertEqual(other.evaluate("document.querySelector('main pre').textContent"), "handeye console")
                self.assertNotIn("ticket", other.evaluate("location.href"))
                self.assertEqual(other.evaluate("document.querySelectorAll('#tabs a').length"), 0)
                self.assertTrue(other.evaluate("document.querySelector('#stop').disabled"))
                self.assertEqual(other.evaluate(PALE_TEXTS), [])
                Page.shot(other, "refused.png")

    def test_the_keyboard_reaches_all_and_the_focus_shows(self):
        page = self.page()
        page.wait("document.querySelector('textarea[name=goal]')")
        order = []
        for _ in range(20):
            page.press("Tab", code=9)
            words, is_shown = page.evaluate(FOCUS)
            self.assertTrue(is_shown, f"no ring around {words}")
            order.append(words)
        wanted = ["Skip to the content", "Sessions", "Approvals", "Timeline", "Engine", "Chat", "stop", "goal", "platform", "where"]
        self.assertEqual(order[:len(wanted)], wanted)
        page.view("chat")
        page.wait("document.querySelector('.ask textarea')")
        page.evaluate("document.querySelector('.ask textarea').focus()")
        page.press("Tab", code=9)
        self.assertEqual(page.evaluate(FOCUS), ["pick", True])
        page.evaluate("document.querySelector('#tabs a').focus()")
        page.press("Enter", "\r", code=13)
        page.wait("document.querySelector('textarea[name=goal]')")
        page.press("Tab", code=9)
        self.assertEqual(page.evaluate(FOCUS)[0], "goal", "a chosen view has the focus")

    def test_who_holds_the_screen_finds_every_key_and_the_way_out(self):
        page = self.page(**PHONE)
        page.start_session(self.daemon, "", "held.json")
        page.wait("Number(document.querySelector('canvas.pixels')?.dataset.painted) > 0", "a live picture")
        page.click(".controls button", "Take over")
        page.wait("document.activeElement.matches('.held canvas')", "the person holds the screen")
        self.look_at(page, "held")
        page.shot("held.png")
        page.evaluate("document.querySelector('.held canvas').focus()")
        page.send("Input.dispatchKeyEvent", type="keyDown", key="Escape", windowsVirtualKeyCode=27, modifiers=8)
        self.assertTrue(page.evaluate("document.activeElement === document.body"), "Shift+Esc leaves the picture")
        page.click(".controls button", "Give back")
        page.wait("!document.querySelector('.screen.held')", "given back")
        self.assertEqual(page.complaints, [])

    def test_words_for_actions_and_durations(self):
        page = self.page()
        said = page.evaluate("""(async () => {
            const {inWords} = await import("/ui/words.js");
            const {duration, seconds} = await import("/ui/dom.js");
            return [
              {action: {verb: "click", x: 905, y: 880, units: "thousandths", element_info: "Cancel"}, target: [{x: 302, y: 197}]},
              {verb: "click", x: 905, y: 880, units: "thousandths", hold_keys: ["ctrl"]},
              {action: {verb: "drag", x: 1, y: 2, to_x: 3, to_y: 4, units: "thousandths"}, target: [{x: 10, y: 20}, {x: 30, y: 40}]},
              {action: {verb: "type", text: "ls\\nrm\\u202E\\t-r", enter: true}, target: []},
              {action: {verb: "type", text: "Ada", clear: true}, target: [{x: 5, y: 6}]},
              {verb: "key", keys: "ctrl+s"}, {verb: "key", keys: ["ctrl", "+"]},
              {verb: "scroll", x: 1, y: 2, direction: "down", amount: 1}, {verb: "scroll", direction: "up", amount: 5, viewport_share: 0.5},
              {verb: "open_app", app: "Files"}, {verb: "constructor"}, null,
            ].map(inWords).concat([0, 4000, 60_000, 725_000, 3_600_000, 9_000_000, 604_800_000].map(duration), seconds(59_960), seconds(4200));
        })()""")
        self.assertEqual(said, [
            "Click at (302, 197)", "Click at (905, 880) thousandths with ctrl held", "Drag from (10, 20) to (30, 40)",
            "Type “ls⏎rm⟨U+202E⟩⇥-r” and press Enter", "Click at (5, 6), empty the field, type “Ada”", "Press ctrl+s", "Press ctrl++",
            "Scroll down by 1 notch at (1, 2)", "Scroll up by 50 % of the view", "Start the application “Files”", "Constructor", "Act",
            "0 s", "4 s", "1 min", "12 min 5 s", "1 h", "2 h 30 min", "7 d", "1 min", "4.2 s"])


if __name__ == "__main__":
    BINARIES = sys.argv.pop(1)
    unittest.main(verbosity=2)
