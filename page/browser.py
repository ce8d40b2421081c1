"""Drives a headless Chromium over its debugging pipe: no port is opened, nothing else is needed."""

import base64
import fcntl
import json
import os
import queue
import shutil
import signal
import tempfile
import threading
import time


class Trouble(Exception):
    """The browser doesn't do what it is told."""


class Browser:
    """One Chromium with a profile of its own; both go away with it."""

    def __init__(self, program="chromium"):
        path = shutil.which(program)
        if path is None:
            raise Trouble(f"there is no {program}: run make page, which installs it")
        self.profile = tempfile.mkdtemp(prefix="ringfence-page-")
        theirs_in, self.to = os.pipe()
        self.of, theirs_out = os.pipe()
        # Out of the way of 3 and 4, where Chromium looks for them.
        ends = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 20) for end in (theirs_in, theirs_out)]
        arguments = [
            path, "--headless=new", "--no-sandbox", "--remote-debugging-pipe", "--disable-gpu",
            "--no-first-run", "--disable-background-networking", "--disable-component-update",
            "--disable-sync", "--disable-extensions", "--disable-dev-shm-usage",
            "--hide-scrollbars", "--font-render-hinting=none", "--force-color-profile=srgb",
            f"--user-data-dir={self.profile}", "about:blank"]
        silence = os.open(os.devnull, os.O_RDWR)
        self.pid = os.posix_spawn(
            path, arguments, {**os.environ, "HOME": self.profile, "TZ": "UTC"}, setsid=True,
            file_actions=[(os.POSIX_SPAWN_DUP2, silence, stream) for stream in (0, 1, 2)] + [
                (os.POSIX_SPAWN_DUP2, ends[0], 3), (os.POSIX_SPAWN_DUP2, ends[1], 4)])
        for end in [theirs_in, theirs_out, silence, *ends]:
            os.close(end)
        self.lock = threading.Lock()
        self.number = 0
        self.answers = {}
        self.tabs = {}
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        rest = b""
        while True:
            try:
                chunk = os.read(self.of, 1 << 20)
            except OSError:
                return
            if not chunk:
                return
            *messages, rest = (rest + chunk).split(b"\0")
            for message in messages:
                self.take(json.loads(message))

    def take(self, message):
        if "id" in message:
            waiting = self.answers.pop(message["id"], None)
            if waiting:
                waiting.put(message)
        elif message.get("sessionId") in self.tabs:
            self.tabs[message["sessionId"]].take(message["method"], message["params"])

    def command(self, method, session=None, patience=20, **parameters):
        waiting = queue.Queue()
        with self.lock:
            self.number += 1
            message = {"id": self.number, "method": method, "params": parameters}
            if session:
                message["sessionId"] = session
            self.answers[self.number] = waiting
            data = json.dumps(message).encode() + b"\0"
            while data:
                data = data[os.write(self.to, data):]
        try:
            answer = waiting.get(timeout=patience)
        except queue.Empty:
            raise Trouble(f"no answer to {method} within {patience} s") from None
        if "error" in answer:
            raise Trouble(f"{method}: {answer['error'].get('message')}")
        return answer["result"]

    def tab(self, width=1440, height=900):
        target = self.command("Target.createTarget", url="about:blank")["targetId"]
        session = self.command(
            "Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        return Tab(self, target, session, width, height)

    def close(self):
        try:
            self.command("Browser.close", patience=5)
        except (Trouble, OSError):
            pass
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            if os.waitpid(self.pid, os.WNOHANG)[0]:
                break
            time.sleep(0.02)
        else:
            # A session of its own: its helpers end with it.
            os.killpg(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.to)
        os.close(self.of)
        shutil.rmtree(self.profile, ignore_errors=True)


class Tab:
    """One page, with everything that it complained about and asked for."""

    def __init__(self, browser, target, session, width, height):
        self.browser, self.target, self.session = browser, target, session
        self.complaints = []
        self.requests = []
        browser.tabs[session] = self
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.do(f"{domain}.enable")
        self.resize(width, height)

    def do(self, method, **parameters):
        return self.browser.command(method, self.session, **parameters)

    def take(self, method, said):
        if method == "Runtime.exceptionThrown":
            details = said["exceptionDetails"]
            self.complaints.append(
                details.get("exception", {}).get("description", details.get("text", "?")))
        elif method == "Runtime.consoleAPICalled" and said["type"] in ("error", "warning", "assert"):
            self.complaints.append(" ".join(str(one.get("value", "?")) for one in said["args"]))
        elif method == "Log.entryAdded" and said["entry"]["level"] in ("error", "warning"):
            self.complaints.append(f"{said['entry']['text']} {said['entry'].get('url', '')}".strip())
        elif method == "Network.requestWillBeSent":
            self.requests.append(said["request"]["url"])
        elif method == "Page.javascriptDialogOpening":
            self.complaints.append(f"a dialog opened: {said['message']}")

    def resize(self, width, height, scale=1):
        self.do("Emulation.setDeviceMetricsOverride", width=width, height=height,
                deviceScaleFactor=scale, mobile=False)

    def theme(self, name):
        self.do("Emulation.setEmulatedMedia",
                features=[{"name": "prefers-color-scheme", "value": name}])

    def open(self, url):
        self.do("Page.navigate", url=url)

    def run(self, expression):
        """The value of an expression of JavaScript."""
        answer = self.do("Runtime.evaluate", expression=expression, returnByValue=True,
                         awaitPromise=True, userGesture=True)
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise Trouble(f"{expression[:80]}: " + details.get("exception", {}).get(
                "description", details.get("text", "?")))
        return answer["result"].get("value")

    def until(self, claim, expression, patience=5):
        """Waits for an expression to hold."""
        deadline = time.monotonic() + patience
        while True:
            holds = self.run(f"Boolean({expression})")
            if holds:
                return
            if time.monotonic() > deadline:
                said = "".join(f"\n  the browser: {one}" for one in self.complaints[-5:])
                raise Trouble(f"not within {patience} s: {claim}{said}")
            time.sleep(0.01)

    KEYS = {
        "Enter": ("Enter", 13, "\r"), "Escape": ("Escape", 27, None), "Tab": ("Tab", 9, None),
        "ArrowLeft": ("ArrowLeft", 37, None), "ArrowUp": ("ArrowUp", 38, None),
        "ArrowRight": ("ArrowRight", 39, None), "ArrowDown": ("ArrowDown", 40, None),
        "Home": ("Home", 36, None), "End": ("End", 35, None), "PageDown": ("PageDown", 34, None),
        "PageUp": ("PageUp", 33, None)}

    def press(self, key, control=False):
        code, number, text = self.KEYS.get(key, (None, ord(key[0].upper()), key))
        common = {"key": key, "windowsVirtualKeyCode": number, "modifiers": 2 if control else 0}
        if code:
            common["code"] = code
        written = {"text": text} if text and not control else {}
        self.do("Input.dispatchKeyEvent", type="keyDown", **common, **written)
        self.do("Input.dispatchKeyEvent", type="keyUp", **common)

    def write(self, text):
        for one in text:
            self.press(one)

    def click(self, expression):
        """Clicks on the middle of the element that an expression gives."""
        x, y = self.run(
            f"(() => {{ const one = {expression}; one.scrollIntoView({{block: 'nearest'}});"
            " const box = one.getBoundingClientRect();"
            " return [box.x + box.width / 2, box.y + box.height / 2]; })()")
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            self.do("Input.dispatchMouseEvent", type=kind, x=x, y=y,
                    button="none" if kind == "mouseMoved" else "left", clickCount=1)

    def away(self):
        """Takes the pointer off everything."""
        self.do("Input.dispatchMouseEvent", type="mouseMoved", x=1, y=1)

    def picture(self, path):
        data = base64.b64decode(self.do("Page.captureScreenshot", format="png")["data"])
        with open(path, "wb") as file:
            file.write(data)
        return len(data)
