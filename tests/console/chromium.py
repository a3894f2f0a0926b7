# SPDX-License-Identifier: Apache-2.0
"""A headless Chromium, driven over its DevTools pipe: pages, clicks, keys, pictures, and what the console said."""
import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

DEADLINE_S = float(os.environ.get("HANDEYE_BROWSER_DEADLINE_S", "90"))  # only a hang reaches it


class Chromium:
    """One browser with one page. Ends with close(), or as a context manager."""

    def __init__(self, width, height, dark=False, scale=1, mobile=False):
        self.profile = tempfile.mkdtemp(prefix="handeye-chromium-")
        to_child, self._out = os.pipe()
        self._in, from_child = os.pipe()
        os.set_inheritable(to_child, True)
        os.set_inheritable(from_child, True)

        def as_three_and_four():  # the numbers that --remote-debugging-pipe reads from and writes to
            high_in, high_out = os.dup(to_child), os.dup(from_child)
            os.dup2(high_in, 3)
            os.dup2(high_out, 4)

        self.process = subprocess.Popen(
            ["chromium", "--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
             "--no-first-run", "--disable-background-networking", "--disable-component-update", "--hide-scrollbars",
             f"--user-data-dir={self.profile}", f"--window-size={width},{height}", "about:blank"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, close_fds=False, preexec_fn=as_three_and_four)
        os.close(to_child)
        os.close(from_child)
        self._rest = b""
        self._number = 0
        self.session = None
        self.complaints = []  # errors of the page: exceptions, console.error, refused resources
        targets = self.send("Target.getTargets")["targetInfos"]
        page = next(one for one in targets if one["type"] == "page")
        self.session = self.send("Target.attachToTarget", targetId=page["targetId"], flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=mobile)
        if mobile:
            self.send("Emulation.setTouchEmulationEnabled", enabled=True)
        self.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self._in)
        os.close(self._out)
        shutil.rmtree(self.profile, ignore_errors=True)

    def send(self, method, **params):
        self._number += 1
        number = self._number
        message = {"id": number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive(DEADLINE_S)
            if answer is None:
                raise TimeoutError(f"the browser did not answer {method}")
            if answer.get("id") == number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return answer["result"]

    def _receive(self, timeout_s):
        while b"\0" not in self._rest:
            if not select.select([self._in], [], [], timeout_s)[0]:
                return None
            data = os.read(self._in, 1 << 16)
            if not data:
                raise ConnectionError("the browser ended")
            self._rest += data
        text, self._rest = self._rest.split(b"\0", 1)
        message = json.loads(text)
        self._note(message)
        return message

    def _note(self, message):
        params = message.get("params", {})
        if message.get("method") == "Runtime.exceptionThrown":
            details = params["exceptionDetails"]
            self.complaints.append(details.get("exception", {}).get("description") or details["text"])
        elif message.get("method") == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.complaints.append(f"{params['entry']['text']} {params['entry'].get('url', '')}")
        elif message.get("method") == "Runtime.consoleAPICalled" and params["type"] in ("error", "assert"):
            self.complaints.append(" ".join(str(one.get("value", one.get("description"))) for one in params["args"]))

    def go(self, url):
        self.send("Page.navigate", url=url)

    def evaluate(self, expression):
        """The value of JavaScript; promises are awaited."""
        result = self.send("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in result:
            details = result["exceptionDetails"]
            raise RuntimeError(details.get("exception", {}).get("description") or details["text"])
        return result["result"].get("value")

    def _try(self, expression):
        """The value; None while one page gives way to the next."""
        try:
            return self.evaluate(expression)
        except RuntimeError as problem:
            if "navigated or closed" in str(problem) or "context" in str(problem):
                return None
            raise

    def wait(self, expression, what=None):
        """Until the JavaScript is true, or finds an element; its value."""
        deadline = time.monotonic() + DEADLINE_S
        while True:
            value = self._try(f"(() => {{ const value = ({expression}); return value instanceof Node ? true : value; }})()")
            if value:
                return value
            if time.monotonic() > deadline:
                raise AssertionError(f"did not happen: {what or expression}\npage: {self.text()[:1500]}\ncomplaints: {self.complaints}")
            self._receive(0.05)

    def text(self):
        return self.evaluate("document.body.innerText")

    def middle_of(self, selector, text=None):
        """Where an element is on the page that is shown, scrolled into view."""
        found = self.wait(f"""(() => {{
            const all = [...document.querySelectorAll({json.dumps(selector)})];
            const one = all.find((e) => {json.dumps(text)} === null || e.textContent.trim() === {json.dumps(text)});
            if (!one || one.disabled || one.getClientRects().length === 0) return null;
            one.scrollIntoView({{block: "center", behavior: "instant"}});
            const box = one.getBoundingClientRect();
            return {{x: box.x + box.width / 2, y: box.y + box.height / 2, width: box.width, height: box.height, left: box.x, top: box.y}};
        }})()""", f"{selector} {text or ''}")
        return found

    def click(self, selector, text=None):
        """Clicks where the element is until it has heard a click: the page may move between looking and pressing."""
        deadline = time.monotonic() + DEADLINE_S
        while True:
            box = self.middle_of(selector, text)
            self.evaluate(f"""window.heard = false;
                document.addEventListener("click", (event) => {{
                    const one = event.target.closest({json.dumps(selector)});
                    window.heard = one !== null && ({json.dumps(text)} === null || one.textContent.trim() === {json.dumps(text)});
                }}, {{capture: true, once: true}}); true""")
            self.click_at(box["x"], box["y"])
            if self.evaluate("window.heard"):
                return
            if time.monotonic() > deadline:
                raise AssertionError(f"never heard a click: {selector} {text or ''}\npage: {self.text()[:1500]}")

    def click_at(self, x, y):
        for kind in ("mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def fill(self, selector, text):
        self.click(selector)
        self.evaluate(f"document.querySelector({json.dumps(selector)}).select?.()")
        self.send("Input.insertText", text=text)

    def press(self, key, text=None, code=0):
        shown = {"text": text} if text else {}
        self.send("Input.dispatchKeyEvent", type="keyDown", key=key, windowsVirtualKeyCode=code, **shown)
        self.send("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code)

    def picture(self, path):
        data = base64.b64decode(self.send("Page.captureScreenshot", format="png")["data"])
        with open(path, "wb") as out:
            out.write(data)
