"""A host: a network namespace with a spawner, a pool and a proxy of its own."""
import http.client
import json
import os
import signal
import socket
import subprocess
import time
import urllib.request

WAIT = 120
WEB, TLS, ADMIN, AGENT, STATUS = 8080, 8443, 9100, 9101, 9149


def eventually(what, ok):
    """Waits until ok() is true, and returns what it is."""
    end = time.monotonic() + WAIT
    while True:
        try:
            value = ok()
        except OSError:
            value = None
        if value:
            return value
        if time.monotonic() > end:
            raise SystemExit(f"hosts: waited {WAIT} s for {what}")
        time.sleep(0.05)


def run(*command):
    subprocess.run(command, check=True)


class Site:
    """What all hosts have in common: where their files are, their app and its settings,
    and a certificate, if there are clients that want one."""

    def __init__(self, base, app, tls):
        self.base, self.app = base, app
        self.settings = ["min_instances=2", "max_instances=2", "threads=4"]
        self.certificate = os.path.join(base, "certificate.pem") if tls else ""
        if tls:
            key = os.path.join(base, "key.pem")
            run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                "-subj", "/CN=shop.test", "-keyout", key, "-out", self.certificate)
            with open(self.certificate, "ab") as f, open(key, "rb") as k:
                f.write(k.read())


class Host:
    """A network namespace that we reach over a link of its own."""

    def __init__(self, site, number):
        self.site, self.number = site, number
        self.name, self.address, self.gateway = f"h{number}", f"10.77.{number}.2", f"10.77.{number}.1"
        self.dir = os.path.join(site.base, self.name)
        os.makedirs(self.dir, mode=0o700, exist_ok=True)
        self.log = open(os.path.join(site.base, self.name + ".log"), "ab")
        self.daemons = {}
        self.holder = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
        ours = os.readlink("/proc/self/ns/net")
        eventually("a namespace", lambda: os.readlink(f"/proc/{self.holder.pid}/ns/net") != ours)
        run("ip", "link", "add", f"v{number}", "type", "veth", "peer", "name", "eth0", "netns", str(self.holder.pid))
        run("ip", "address", "add", self.gateway + "/30", "dev", f"v{number}")
        run("ip", "link", "set", f"v{number}", "up")
        run(*self.inside("ip", "address", "add", self.address + "/30", "dev", "eth0"))
        run(*self.inside("ip", "link", "set", "lo", "up"))
        self.plug()

    def inside(self, *command):
        return ["nsenter", "--target", str(self.holder.pid), "--net", *command]

    def plug(self):
        """Has the host's link up."""
        run(*self.inside("ip", "link", "set", "eth0", "up"))
        run(*self.inside("ip", "route", "replace", "default", "via", self.gateway))

    def unplug(self):
        run(*self.inside("ip", "link", "set", "eth0", "down"))

    def begin(self, daemon, *flags):
        env = dict(os.environ, PASSENGER_STATE_DIR=self.dir, PASSENGER_STATUS_PATIENCE="30s")
        self.daemons[daemon] = subprocess.Popen(self.inside("passenger-" + daemon, "serve", *flags), env=env, stdout=self.log, stderr=self.log)

    def start(self, delay):
        self.begin("spawn", "--stop-on-exit")
        eventually("the spawner", lambda: os.path.exists(self.dir + "/spawn.sock"))
        self.begin("pool", self.site.app, *(flag for s in self.site.settings for flag in ("--set", s)))
        self.start_proxy(delay)

    def start_proxy(self, delay):
        pem = self.site.certificate
        tls = ["--listen", f"tls:{self.address}:{TLS}", "--certificate", pem, "--key", pem] if pem else []
        self.begin("proxy", "--listen", f":{WEB}", *tls, "--drain-timeout", "3s",
                   "--admin-listen", f":{ADMIN}", "--agent-listen", f":{AGENT}", "--shutdown-delay", delay)
        eventually(self.name + " to be ready", self.ready)

    def get(self, port, path, token=""):
        request = urllib.request.Request(f"http://{self.address}:{port}{path}", headers={"Authorization": "Bearer " + token} if token else {})
        with urllib.request.urlopen(request, timeout=WAIT) as answer:
            return answer.read().decode()

    def ready(self):
        return self.get(ADMIN, "/readyz")

    def leave(self):
        self.daemons["proxy"].send_signal(signal.SIGTERM)

    def hurry(self):
        """Ends the delay of a proxy that leaves, and waits for its end."""
        nc = http.client.HTTPConnection("proxy")
        nc.sock = socket.socket(socket.AF_UNIX)
        nc.sock.connect(self.dir + "/proxy.sock")
        nc.request("POST", "/v1/drain", '{"delay_seconds": 0}')
        if nc.getresponse().status != 200:
            raise SystemExit("hosts: the proxy takes no order to drain")
        self.gone("proxy")

    def gone(self, daemon):
        if self.daemons.pop(daemon).wait(WAIT) != 0:
            raise SystemExit(f"hosts: {daemon} of {self.name} failed; see {self.log.name}")

    def stop(self, *daemons):
        for daemon in daemons:
            self.daemons[daemon].send_signal(signal.SIGTERM)
            self.gone(daemon)

    def hurry_all(self):
        """Ends all daemons, and the delay of the proxy."""
        self.leave()
        self.hurry()
        self.stop("pool", "spawn")

    def watch(self):
        """Starts what answers /scale to others."""
        env = dict(os.environ, PASSENGER_STATE_DIR=self.dir)
        made = subprocess.run(["passenger-status", "token"], env=env, check=True, capture_output=True, text=True)
        self.token = made.stdout.strip()
        self.begin("status", "--listen", f"{self.address}:{STATUS}")
        eventually("/scale of " + self.name, self.needs_now)

    def needs_now(self):
        return json.loads(self.get(STATUS, "/scale", self.token))

    def kill(self):
        """Ends all that runs on the host at once, as the end of its power does."""
        inode = os.stat(f"/proc/{self.holder.pid}/ns/net").st_ino
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                if int(pid) != self.holder.pid and os.stat(f"/proc/{pid}/ns/net").st_ino == inode:
                    os.kill(int(pid), signal.SIGKILL)
            except OSError:
                pass  # it has ended
        for daemon in self.daemons.values():
            daemon.wait()
        self.daemons = {}

    def end(self):
        self.kill()
        self.holder.kill()
        self.holder.wait()
