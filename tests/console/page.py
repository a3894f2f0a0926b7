# SPDX-License-Identifier: Apache-2.0
"""The console as tests use it: a browser that was let in with a fresh ticket. With HANDEYE_SHOTS set to a folder, shot() leaves pictures there."""
import os

from chromium import Chromium

GOAL = "Set Name to Ada, tick Agree and click Save."


class Page(Chromium):
    """The console in a browser, let in with a fresh ticket."""

    def __init__(self, daemon, width=1280, height=860, **options):
        super().__init__(width, height, **options)
        self.opened = daemon.pass_()
        self.go(self.opened["url"])
        self.wait_connected()

    def wait_connected(self):
        self.wait("document.querySelector('#link')?.textContent === 'connected'", "connected")

    def view(self, name):
        self.evaluate(f"location.hash = '#/{name}'")

    def start_session(self, daemon, goal, answer, ask=False, title="Contact"):
        self.view("sessions")
        self.wait("document.querySelector('textarea[name=goal]')")
        if goal:
            self.fill("textarea[name=goal]", goal)
        self.fill("input[name=size]", "336x224")
        self.fill("textarea[name=launch]", daemon.form_command(title, answer))
        if ask:
            self.evaluate("document.querySelector('select[name=care]').value = 'ask'")
        self.click("button", "Start")
        self.wait("location.hash.startsWith('#/session/')", "the live view")
        return self.evaluate("location.hash.split('/')[2]")

    def outcome(self):
        return self.wait("""(() => { const word = document.querySelector('.head .badge')?.textContent;
            return ['done', 'unconfirmed', 'denied', 'stopped', 'failed', 'stuck'].includes(word) ? word : null; })()""", "the task's end")

    def shot(self, name):
        folder = os.environ.get("HANDEYE_SHOTS")
        if folder:
            self.evaluate("new Promise((done) => setTimeout(done, 700))")  # marks have arrived
            self.picture(os.path.join(folder, name))

    def approve_all(self, until, decision="Approve"):
        """Presses the answer on each approval that comes, until the JavaScript is true; how many there were."""
        answered = set()
        while True:
            now = self.wait(f"""(() => {{ const card = document.querySelector('.approval:not([data-seen])');
                return ({until}) ? "end" : card ? card.dataset.approval : null; }})()""", f"an approval, or {until}")
            if now == "end":
                return len(answered)
            self.shot("approval.png") if len(answered) == 2 else None
            self.evaluate(f"document.querySelector('[data-approval=\"{now}\"]').dataset.seen = '1'")
            self.click(f'[data-approval="{now}"] button', decision)
            answered.add(now)
