"""Clients of several kinds, all by the same program: testscripts/vm/load."""
import json
import signal
import subprocess
import threading
import time

from host import eventually


class Clients:
    """One run of the program, and what it last said."""

    def __init__(self, kind, *flags):
        self.kind, self.counts, self.failures = kind, {"made": 0, "done": 0, "failed": 0, "opened": 0, "closed": 0, "seconds": 0, "slowest": 0}, []
        self.process = subprocess.Popen(["load", "-progress", *flags], stdout=subprocess.PIPE, text=True)
        self.thread = threading.Thread(target=self.read)
        self.thread.start()

    def read(self):
        for line in self.process.stdout:
            if not line.startswith("{"):
                continue
            said = json.loads(line)
            if "failure" in said:
                self.failures.append((said["began"], f"{self.kind}: {said['failure']}"))
            else:
                self.counts = said

    def end(self):
        self.process.send_signal(signal.SIGTERM)

    def wait(self):
        self.thread.join()
        if self.process.wait() != 0:
            raise SystemExit(f"hosts: the load of {self.kind} failed")


class Load:
    """So many requests a second of all kinds together, at a port of this machine and at
    the one after it, which speaks TLS. Use it with "with"."""

    KINDS = {"kept": 0.4, "new": 0.1, "tls": 0.35, "websocket": 0.15}

    def __init__(self, port, rate, kinds, path="/pid"):
        self.port, self.path, self.rate, self.kinds, self.clients = port, path, rate, kinds, []

    def begin(self, rate):
        plain, tls = f"http://127.0.0.1:{self.port}{self.path}", f"https://127.0.0.1:{self.port + 1}{self.path}"
        all_of_them = sum(self.KINDS[k] for k in self.kinds)
        for kind in self.kinds:
            part = rate * self.KINDS[kind] / all_of_them
            flags = {
                "kept": ["-url", plain, "-rate", str(part), "-clients", "24"],
                "new": ["-url", plain, "-rate", str(part), "-fresh"],
                "tls": ["-url", tls, "-rate", str(part), "-clients", "12"],
                "websocket": ["-url", plain, "-rate", "0", "-websockets", str(max(3, round(part))), "-talk", "1s"],
            }[kind]
            self.clients.append(Clients(kind, *flags, "-patience", "100s"))

    def total(self, what):
        return sum(c.counts[what] for c in self.clients)

    @property
    def done(self):
        return self.total("done")

    @property
    def failed(self):
        return sorted(f for c in self.clients for f in c.failures)

    def more(self, n):
        """Waits for n more requests that succeed."""
        goal = self.done + n
        eventually(f"{n} requests", lambda: self.done >= goal)

    def __enter__(self):
        self.began = time.time()
        self.begin(self.rate)
        for c in self.clients:
            eventually(f"requests of {c.kind}", lambda c=c: c.counts["done"] >= 5)
        return self

    def __exit__(self, *_):
        self.seconds = time.time() - self.began
        for c in self.clients:
            c.end()
        for c in self.clients:
            c.wait()

    def lost(self, what, allowed=0, since=None):
        """Fails if more requests failed than are allowed, or one that began after since."""
        failed = self.failed
        late = [f for f in failed if since is not None and f[0] > since]
        if late:
            raise SystemExit(f"hosts: {what}: {len(late)} requests that began later failed: {late[:3]}")
        if len(failed) > allowed:
            raise SystemExit(f"hosts: {what}: {len(failed)} of {self.total('made')} requests failed, {allowed} are allowed: {failed[:3]}")

    def result(self):
        """Counts of all, and in words those of each kind."""
        kinds, seen = [], {}
        for c in self.clients:
            seen.setdefault(c.kind, []).append((c.counts, c.failures))
        for kind, runs in seen.items():
            n = {key: sum(r[0][key] for r in runs) for key in ("done", "opened", "closed")}
            text = f"{kind} {n['done']}/{sum(len(r[1]) for r in runs)}"
            if kind == "websocket":
                text += f" ({n['opened']} opened, {n['closed']} closed with 1001)"
            kinds.append(text)
        return {
            "requests": self.total("made"), "failed": len(self.failed), "rate": round(self.total("made") / self.seconds),
            "slowest": round(max(c.counts["slowest"] for c in self.clients), 2), "kinds": ", ".join(kinds),
        }
