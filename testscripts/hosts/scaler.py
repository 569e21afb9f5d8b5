"""A closed loop: a controller that reads /scale of every host, and starts and stops
hosts as Kubernetes' HPA would."""
import math
import re
import threading
import time
import traceback

from balancer import BALANCER, HAProxy
from host import ADMIN, Host
from load import Load

EACH = 2         # processes of a host
LEAST, MOST = 3, 8
PAUSE = 2        # seconds between two looks
TOLERANCE = 0.1  # of the sum, within which nothing is changed
HOLD = 60        # seconds that nothing asked for a host before it is stopped
TARGET = 0.1     # seconds that 95 of 100 requests may wait at most, on average of WINDOW
WINDOW = 6       # seconds


class Controller:
    """Starts and stops hosts by what they need in sum, and notes what it saw."""

    def __init__(self, site, hosts):
        self.site, self.hosts = site, hosts  # of all numbers, in order; those that are not there are None
        self.wanted = LEAST
        self.advice, self.jobs, self.errors = [], [], []
        self.trace = []    # of when, how many hosts are wanted and ready, what they need, and p95 of the queue
        self.counted = {}  # by host, what its histogram said
        self.waits = []    # of when, and how many requests waited at most how long, since the last look
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.guard, args=(self.run,), daemon=True)

    def guard(self, job, *args):
        try:
            job(*args)
        except BaseException:  # the thread ends with it, and the loop has failed
            self.errors.append(traceback.format_exc())

    def serving(self):
        return [h for h in self.hosts if h and "status" in h.daemons]

    def run(self):
        while not self.stopped.wait(PAUSE):
            serving = self.serving()
            needs = sum(h.needs_now()["needs"] for h in serving)
            self.measure(serving)
            advised = self.wanted
            if abs(needs / (EACH * self.wanted) - 1) > TOLERANCE:
                advised = min(MOST, max(LEAST, math.ceil(needs / EACH)))
            now = time.monotonic()
            self.advice = [a for a in self.advice if now - a[0] < HOLD] + [(now, advised)]
            wanted = advised if advised >= self.wanted else min(self.wanted, max(a[1] for a in self.advice))
            self.trace.append((now, wanted, len(serving), needs, self.p95()))
            self.change(wanted)

    def change(self, wanted):
        for number in range(self.wanted + 1, wanted + 1):
            self.job(self.add, number)
        for number in range(wanted + 1, self.wanted + 1):
            self.job(self.remove, number)
        self.wanted = wanted

    def job(self, what, number):
        """Adds or removes a host, after what is still to be done with it."""
        before = [j for n, j in self.jobs if n == number]
        job = threading.Thread(target=self.guard, args=(lambda: [j.join() for j in before] + [what(number)],), daemon=True)
        self.jobs.append((number, job))
        job.start()

    def add(self, number):
        host = self.hosts[number - 1] = self.hosts[number - 1] or Host(self.site, number)
        host.start("3s")
        host.watch()

    def remove(self, number):
        host = self.hosts[number - 1]
        host.stop("status", "proxy", "pool", "spawn")

    def measure(self, serving):
        """Adds up how long requests waited since the last look, over all hosts."""
        sums = {}
        for h in serving:
            found = re.findall(r'^passenger_proxy_queue_wait_seconds_bucket\{app="app",le="([^"]+)"\} (\d+)', h.get(ADMIN, "/metrics"), re.M)
            now = {float(le.replace("+Inf", "inf")): int(n) for le, n in found}
            before = self.counted.get(h.name, {})
            if any(now[le] < before.get(le, 0) for le in now):
                before = {}  # another proxy
            for le, n in now.items():
                sums[le] = sums.get(le, 0) + n - before.get(le, 0)
            self.counted[h.name] = now
        self.waits = self.waits[1 - WINDOW // PAUSE:] + [sums]

    def p95(self):
        """The bound under which 95 of 100 requests of the last seconds waited."""
        sums = {}
        for w in self.waits:
            for le, n in w.items():
                sums[le] = sums.get(le, 0) + n
        for le in sorted(sums):
            if sums[le] >= 0.95 * sums[math.inf]:
                return le
        return 0

    def end(self):
        self.stopped.set()
        self.thread.join()
        for _, job in self.jobs:
            job.join()


def turns(numbers):
    """How often a number of hosts goes the other way than it went before."""
    n, way = 0, 0
    for before, after in zip(numbers, numbers[1:]):
        if after != before:
            n += way != 0 and (after > before) != (way > 0)
            way = after - before
    return n


def loop(site, hosts, kinds, rates, seconds):
    """A step of the load is served without a wait again within a minute, and a steady load
    turns the number of hosts at most once. hosts are those of LEAST, and more are added."""
    hosts += [None] * (MOST - len(hosts))
    for host in hosts[:LEAST]:
        host.watch()
    balancer = HAProxy(site, hosts[:LEAST], "both", range(1, MOST + 1))
    controller = Controller(site, hosts)
    controller.thread.start()
    with Load(BALANCER, rates[0], kinds, "/pid?ms=100") as load:
        time.sleep(30)
        quiet = controller.trace[-1]
        step = time.monotonic()
        load.begin(rates[1] - rates[0])
        time.sleep(60 + seconds)
    controller.end()
    balancer.end()
    if controller.errors:
        raise SystemExit("hosts: the controller failed: " + controller.errors[0])
    after = [t for t in controller.trace if t[0] > step]
    for t in [quiet, *after]:
        print(f"hosts: {t[0] - step:6.0f} s: {t[1]} hosts wanted, {t[2]} serve, they need {t[3]:.1f} processes, p95 of the queue {t[4]} s", flush=True)
    over = [t[0] - step for t in after if t[4] > TARGET]
    steady = [t for t in after if t[0] - step > 60]
    result = {"back after": round(max(over, default=0)), "hosts": [min(t[1] for t in steady), max(t[1] for t in steady)],
              "turns": turns([quiet[1]] + [t[1] for t in after]), "over target": sum(t[4] > TARGET for t in steady), "looks": len(steady)}
    print(f"hosts: {result}", flush=True)
    if not over:
        raise SystemExit("hosts: the step of the load made no queue: this shows nothing")
    if result["over target"]:
        raise SystemExit(f"hosts: p95 of the queue was over {TARGET} s until {max(over):.0f} s after the step")
    if result["turns"] > 1:
        raise SystemExit(f"hosts: the number of hosts turned {result['turns']} times")
    return load, result
