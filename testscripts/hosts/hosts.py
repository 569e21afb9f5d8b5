"""Several hosts on one machine: three network namespaces, each with a spawner, a
pool and a proxy, and a balancer and clients in a fourth. Needs root, iproute2 and
haproxy. Run it as

    unshare --net python3 hosts.py DIR APPDIR [SCENARIO…]

with the programs in $PATH. It prints a line for each scenario, and fails with the
first one that does not hold. Nothing here waits for less than WAIT, and nothing ends
because of time alone: a machine may be as slow as it is.
"""
import http.client
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request

WAIT = 120
WEB, ADMIN, AGENT = 8080, 9100, 9101
BALANCER, SERVICE = 8000, 8001


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


class Host:
    """A network namespace that we reach over a link of its own."""

    def __init__(self, number, base, app):
        self.number, self.app = number, app
        self.name, self.address = f"h{number}", f"10.77.{number}.2"
        self.dir = os.path.join(base, self.name)
        os.makedirs(self.dir, mode=0o700, exist_ok=True)
        self.log = open(os.path.join(base, self.name + ".log"), "ab")
        self.daemons = {}
        self.holder = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
        ours = os.readlink("/proc/self/ns/net")
        eventually("a namespace", lambda: os.readlink(f"/proc/{self.holder.pid}/ns/net") != ours)
        run("ip", "link", "add", f"v{number}", "type", "veth", "peer", "name", "eth0", "netns", str(self.holder.pid))
        run("ip", "address", "add", f"10.77.{number}.1/30", "dev", f"v{number}")
        run("ip", "link", "set", f"v{number}", "up")
        for args in (["address", "add", self.address + "/30", "dev", "eth0"], ["link", "set", "eth0", "up"], ["link", "set", "lo", "up"],
                     ["route", "add", "default", "via", f"10.77.{number}.1"]):
            run(*self.inside("ip", *args))

    def inside(self, *command):
        return ["nsenter", "--target", str(self.holder.pid), "--net", *command]

    def begin(self, daemon, *flags):
        env = dict(os.environ, PASSENGER_STATE_DIR=self.dir)
        self.daemons[daemon] = subprocess.Popen(self.inside("passenger-" + daemon, "serve", *flags), env=env, stdout=self.log, stderr=self.log)

    def start(self, delay):
        self.begin("spawn", "--stop-on-exit")
        eventually("the spawner", lambda: os.path.exists(self.dir + "/spawn.sock"))
        self.begin("pool", self.app, "--set", "min_instances=2", "--set", "max_instances=2", "--set", "threads=4")
        self.start_proxy(delay)

    def start_proxy(self, delay):
        self.begin("proxy", "--listen", f":{WEB}", "--admin-listen", f":{ADMIN}", "--agent-listen", f":{AGENT}", "--shutdown-delay", delay)
        eventually(self.name + " to be ready", self.ready)

    def ready(self):
        with urllib.request.urlopen(f"http://{self.address}:{ADMIN}/readyz", timeout=WAIT) as answer:
            return answer.status == 200

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


def run(*command):
    subprocess.run(command, check=True)


class Load:
    """Clients that each make request after request at a port of this machine: some on
    kept connections, some on new ones. Use it with "with"."""

    def __init__(self, port, clients=6, pause=0.2):
        self.port, self.pause = port, pause
        self.done, self.failed = 0, []  # how many succeeded; when each other one began, and why it failed
        self.stopped, self.lock = threading.Event(), threading.Lock()
        self.threads = [threading.Thread(target=self.client, args=(i % 2 == 0,)) for i in range(clients)]

    def client(self, keeps):
        nc = None
        while not self.stopped.is_set():
            began = time.monotonic()
            try:
                if nc is None:
                    nc = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT)
                nc.request("GET", "/pid", headers={"Host": "app"})
                answer = nc.getresponse()
                body = answer.read()
                if answer.status != 200:
                    raise OSError(f"status {answer.status}: {body[:200]!r}")
                with self.lock:
                    self.done += 1
                if answer.will_close or not keeps:
                    nc.close()
                    nc = None
            except (OSError, http.client.HTTPException) as error:
                with self.lock:
                    self.failed.append((began, repr(error)))
                nc.close()
                nc = None
            self.stopped.wait(self.pause)

    def more(self, n):
        """Waits for n more requests that succeed."""
        goal = self.done + n
        eventually(f"{n} requests", lambda: self.done >= goal)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        self.more(20)
        return self

    def __exit__(self, *_):
        self.stopped.set()
        for thread in self.threads:
            thread.join()

    def lost(self, what, since=None):
        """Fails if a request failed, but for those that began before since."""
        lost = [f for f in self.failed if since is None or f[0] > since]
        if lost:
            raise SystemExit(f"hosts: {what}: {len(lost)} of {self.done + len(self.failed)} requests failed: {lost[:3]}")


class HAProxy:
    """HAProxy in front of the hosts. check is "agent" or "http"."""

    def __init__(self, base, hosts, check):
        self.socket = os.path.join(base, "haproxy.sock")
        file = os.path.join(base, "haproxy.cfg")
        how = f"agent-check agent-port {AGENT} agent-inter 200ms" if check == "agent" else f"check port {ADMIN} inter 200ms fall 2 rise 1"
        with open(file, "w", encoding="utf-8") as f:
            f.write(f"""global
    stats socket {self.socket} mode 600 level admin
defaults
    mode http
    timeout connect 10s
    timeout client 120s
    timeout server 120s
    option redispatch
    retries 3
frontend web
    bind 127.0.0.1:{BALANCER}
    default_backend hosts
backend hosts
    balance leastconn
    option httpchk GET /readyz
""")
            for h in hosts:
                f.write(f"    server {h.name} {h.address}:{WEB} weight 100 {how}\n")
        self.process = subprocess.Popen(["haproxy", "-db", "-f", file], stdout=hosts[0].log, stderr=hosts[0].log)
        for h in hosts:
            self.await_state(h, "UP", "no check")

    def state(self, host):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(WAIT)
            s.connect(self.socket)
            s.sendall(b"show stat\n")
            text = b"".join(iter(lambda: s.recv(65536), b"")).decode()
        for line in text.splitlines():
            fields = line.split(",")
            if fields[:2] == ["hosts", host.name]:
                return fields[17]
        return ""

    def await_state(self, host, *states):
        eventually(f"{host.name} to be {states[0]} in HAProxy", lambda: self.state(host).startswith(states))

    def end(self):
        self.process.kill()
        self.process.wait()


class Service:
    """What kube-proxy is: it passes each connection to one of the endpoints, and hears
    of an endpoint's end when it is told."""

    def __init__(self, hosts):
        self.endpoints = [(h.address, WEB) for h in hosts]
        self.turn = itertools.count()
        self.listener = socket.create_server(("127.0.0.1", SERVICE), backlog=128)
        self.thread = threading.Thread(target=self.accept)
        self.thread.start()

    def remove(self, host):
        self.endpoints = [e for e in self.endpoints if e[0] != host.address]

    def add(self, host):
        self.endpoints = self.endpoints + [(host.address, WEB)]

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            endpoints = self.endpoints
            threading.Thread(target=self.join, args=(client, endpoints[next(self.turn) % len(endpoints)]), daemon=True).start()

    def join(self, client, endpoint):
        try:
            server = socket.create_connection(endpoint, WAIT)
        except OSError:
            client.close()  # as the reset that the client would get
            return
        server.settimeout(None)
        back = threading.Thread(target=self.pump, args=(server, client), daemon=True)
        back.start()
        self.pump(client, server)
        back.join()
        client.close()
        server.close()

    @staticmethod
    def pump(source, target):
        try:
            while data := source.recv(65536):
                target.sendall(data)
        except OSError:
            pass
        for s in (source, target):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def end(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.listener.close()


def stop_one(base, hosts, check, states):
    """SIGTERM of a host's proxy loses nothing: the balancer hears of it in time."""
    balancer = HAProxy(base, hosts, check)
    with Load(BALANCER) as load:
        for host in hosts[:1]:
            host.leave()
            balancer.await_state(host, *states)
            load.more(30)
            host.hurry()
            load.more(30)
            host.start_proxy("1h")
            balancer.await_state(host, "UP", "no check")
            load.more(30)
    balancer.end()
    load.lost("SIGTERM with " + check)
    return load


def stop_agent(base, hosts):
    return stop_one(base, hosts, "agent", ["DRAIN"])


def stop_http(base, hosts):
    return stop_one(base, hosts, "http", ["DOWN", "NOLB"])


def upgrade(base, hosts):
    """All daemons of all hosts end and begin, one host after the other."""
    balancer = HAProxy(base, hosts, "agent")
    with Load(BALANCER) as load:
        for host in hosts:
            host.leave()
            balancer.await_state(host, "DRAIN")
            host.hurry()
            host.stop("pool", "spawn")
            host.start("1h")
            balancer.await_state(host, "UP", "no check")
            load.more(20)
    balancer.end()
    load.lost("rolling upgrade")
    return load


def kill(base, hosts):
    """The end of a host costs at most what ran there."""
    balancer = HAProxy(base, hosts, "http")
    with Load(BALANCER) as load:
        hosts[1].kill()
        killed = time.monotonic()
        load.more(60)
        hosts[1].start("1h")
        balancer.await_state(hosts[1], "UP")
        load.more(30)
    balancer.end()
    load.lost("kill -9 of a host", since=killed)
    if len(load.failed) > len(load.threads):
        raise SystemExit(f"hosts: kill -9 of a host: {len(load.failed)} requests failed of {len(load.threads)} clients")
    return load


def service_late(_, hosts):
    """An endpoint that is removed late costs nothing, thanks to the delay."""
    service = Service(hosts)
    with Load(SERVICE) as load:
        hosts[2].leave()
        load.more(60)  # it is an endpoint still
        service.remove(hosts[2])
        load.more(30)
        hosts[2].hurry()
        load.more(30)
        hosts[2].start_proxy("0s")
        service.add(hosts[2])
        load.more(10)
    service.end()
    load.lost("an endpoint removed late")
    return load


def service_without(_, hosts):
    """Without the delay it does cost something: these tests can fail. It follows
    service_late."""
    service = Service(hosts)
    with Load(SERVICE) as load:
        hosts[2].leave()
        hosts[2].gone("proxy")
        eventually("a request that fails", lambda: load.failed)
        service.remove(hosts[2])
        hosts[2].start_proxy("1h")
        service.add(hosts[2])
    service.end()
    return load


SCENARIOS = {"agent": stop_agent, "http": stop_http, "upgrade": upgrade, "kill": kill, "late": service_late, "without": service_without}


def main():
    base, app, names = sys.argv[1], sys.argv[2], sys.argv[3:] or list(SCENARIOS)
    run("ip", "link", "set", "lo", "up")
    hosts = []
    try:
        for number in (1, 2, 3):
            hosts.append(Host(number, base, app))
            hosts[-1].start("1h")
        for name in names:
            began = time.monotonic()
            load = SCENARIOS[name](base, hosts)
            print(json.dumps({"scenario": name, "requests": load.done, "failed": len(load.failed), "seconds": round(time.monotonic() - began, 1)}), flush=True)
    finally:
        for host in hosts:
            host.end()


main()
