"""Several hosts on one machine: three network namespaces, each with a spawner, a
pool and a proxy, and a balancer and clients in a fourth. Needs root, iproute2 and
haproxy. Run it as

    unshare --net python3 hosts.py DIR APPDIR [CASE…]

with the programs and testscripts/vm/load in $PATH. $HOSTS_RATE is how many requests a
second there are, and $HOSTS_KINDS which clients make them. It prints a line of JSON for
each case and a table at the end, and fails with the first case that does not hold. But
for the closed loop, nothing ends because of time alone: a machine may be as slow as it is.
"""
import json
import math
import os
import sys
import time

from balancer import BALANCER, SERVICE, HAProxy, Service
from host import Host, Site, eventually, run
from load import Load
from scaler import loop
from wire import Wire

RATE = float(os.environ.get("HOSTS_RATE") or 300)
KINDS = (os.environ.get("HOSTS_KINDS") or " ".join(Load.KINDS)).split()
STEADY = float(os.environ.get("HOSTS_STEADY") or 300)  # seconds of steady load in the loop


def load_at(port):
    return Load(port, RATE, KINDS)


def stop_one(site, hosts, check, states):
    """SIGTERM of a host's proxy loses nothing: the balancer hears of it in time."""
    balancer = HAProxy(site, hosts, check)
    with load_at(BALANCER) as load:
        for host in hosts[:1]:
            host.leave()
            balancer.await_state(host, *states)
            load.more(RATE)
            host.hurry()
            load.more(RATE)
            host.start_proxy("1h")
            balancer.await_state(host, "UP", "no check")
            load.more(RATE)
    balancer.end()
    load.lost("SIGTERM with " + check)
    return load, 0


def stop_agent(site, hosts):
    return stop_one(site, hosts, "agent", ["DRAIN"])


def stop_http(site, hosts):
    return stop_one(site, hosts, "http", ["DOWN", "NOLB"])


def upgrade(site, hosts):
    """All daemons of all hosts end and begin, one host after the other."""
    balancer = HAProxy(site, hosts, "agent")
    with load_at(BALANCER) as load:
        for host in hosts:
            host.leave()
            balancer.await_state(host, "DRAIN")
            host.hurry()
            host.stop("pool", "spawn")
            host.start("1h")
            balancer.await_state(host, "UP", "no check")
            load.more(RATE)
    balancer.end()
    load.lost("rolling upgrade")
    return load, 0


def kill(site, hosts):
    """The end of a host costs at most what ran there."""
    balancer = HAProxy(site, hosts, "http")
    with load_at(BALANCER) as load:
        load.more(RATE)
        began, ran = time.time(), balancer.sessions(hosts[1])
        hosts[1].kill()
        killed = time.time()
        load.more(2 * RATE)
        hosts[1].start("1h")
        balancer.await_state(hosts[1], "UP")
        load.more(RATE)
    balancer.end()
    allowed = ran + math.ceil((killed - began) * RATE / len(hosts))  # and what came meanwhile
    load.lost("kill -9 of a host", allowed, since=killed)
    return load, allowed


def link(site, hosts):
    """The end of a host's link costs at most what ran there when the balancer knew."""
    balancer = HAProxy(site, hosts, "http")
    host = hosts[1]
    ran = 0

    def down():
        nonlocal ran
        ran = max(ran, balancer.sessions(host))
        return balancer.state(host).startswith("DOWN")

    with load_at(BALANCER) as load:
        load.more(RATE)
        host.unplug()
        eventually("HAProxy to miss the host", down)
        known = time.time()
        down()
        load.more(3 * RATE)
        eventually("its sessions to end", lambda: balancer.sessions(host) == 0)
        host.plug()
        balancer.await_state(host, "UP")
        load.more(RATE)
    balancer.end()
    load.lost("link down", ran, since=known)
    return load, ran


def loss(site, hosts):
    """A bad link makes requests slow, and loses none."""
    balancer = HAProxy(site, hosts, "http")
    wire = Wire(hosts[1], loss=2, delay=40)
    with load_at(BALANCER) as load:
        load.more(RATE)
        before = hosts[1].get(9100, "/metrics")
        load.more(15 * RATE)
        after = hosts[1].get(9100, "/metrics")
    wire.end()
    balancer.end()
    if before == after:
        raise SystemExit("hosts: a bad link: the host had no request, so that this shows nothing")
    load.lost("a bad link")
    if not wire.netem:
        if not wire.dropped:
            raise SystemExit(f"hosts: a bad link lost none of {wire.passed} packets: this shows nothing")
        print(f"hosts: the link carried {wire.passed} packets and lost {wire.dropped}", flush=True)
    return load, 0


def service_late(_, hosts):
    """An endpoint that is removed late costs nothing, thanks to the delay."""
    service = Service(hosts)
    with load_at(SERVICE) as load:
        hosts[2].leave()
        load.more(RATE)  # it is an endpoint still
        service.remove(hosts[2])
        load.more(RATE)
        hosts[2].hurry()
        load.more(RATE)
    service.end()
    hosts[2].start_proxy("1h")
    load.lost("an endpoint removed late")
    return load, 0


def service_without(_, hosts):
    """Without the delay it does cost something: these tests can fail."""
    restart(hosts[2], "0s")
    service = Service(hosts)
    with load_at(SERVICE) as load:
        hosts[2].leave()
        hosts[2].gone("proxy")
        eventually("a request that fails", lambda: load.failed)
        service.remove(hosts[2])
    service.end()
    hosts[2].start_proxy("1h")
    return load, "some"


def restart(host, delay):
    host.leave()
    host.hurry()
    host.start_proxy(delay)


def removed(seconds, delay):
    """A case: an endpoint is removed so many seconds after SIGTERM."""
    def case(_, hosts):
        restart(hosts[2], f"{delay}s")
        service = Service(hosts)
        with load_at(SERVICE) as load:
            hosts[2].leave()
            time.sleep(seconds)
            service.remove(hosts[2])
            hosts[2].gone("proxy")
            load.more(RATE)
        service.end()
        hosts[2].start_proxy("1h")
        if delay:
            load.lost(f"removed after {seconds} s with a delay of {delay} s")
            return load, 0
        if seconds and not load.failed:
            raise SystemExit(f"hosts: removed after {seconds} s without a delay: no request failed, so that this shows nothing")
        return load, "some" if seconds else "any"
    return case


def scale(site, hosts):
    """The closed loop, with an app of its own: two processes of two threads, a tenth of a second a request."""
    site.settings = ["min_instances=2", "max_instances=2", "threads=2"]
    for host in hosts:
        host.hurry_all()
        host.start("3s")
    load, result = loop(site, hosts, KINDS, (40, 200), STEADY)
    load.lost("the closed loop")
    load.note = f"p95 back after {result['back after']} s, {result['hosts'][0]} to {result['hosts'][1]} hosts, {result['turns']} turns"
    return load, 0


CASES = {"agent": stop_agent, "http": stop_http, "upgrade": upgrade, "kill": kill, "link": link, "loss": loss, "late": service_late, "without": service_without}
for d in (0, 1, 3, 5, 10):
    CASES[f"d{d}-without"] = removed(d, 0)
    CASES[f"d{d}-delay"] = removed(d, d + 5)
CASES["scale"] = scale  # leaves other hosts behind: the last


def means(name, case):
    """Whether a case is meant by a name: its own, or what that begins with before a hyphen."""
    return case == name or case.startswith(name + "-")


def table(rows):
    print(f"\n{'case':<12} {'requests':>8} {'failed':>6} {'allowed':>7} {'rate/s':>6} {'slowest':>8} {'took':>6}  done/failed of each kind")
    for r in rows:
        print(f"{r['scenario']:<12} {r['requests']:>8} {r['failed']:>6} {r['allowed']:>7} {r['rate']:>6} {r['slowest']:>7}s {r['seconds']:>5.0f}s  {r['kinds']}"
              + (f"; {r['note']}" if r["note"] else ""))


def main():
    base, app, chosen = sys.argv[1], sys.argv[2], sys.argv[3:] or list(CASES)
    if unknown := [n for n in chosen if not any(means(n, c) for c in CASES)]:
        raise SystemExit(f"hosts: there is no case {' '.join(unknown)}; there are {' '.join(CASES)}")
    names = [c for c in CASES if any(means(n, c) for n in chosen)]
    os.makedirs(base, mode=0o700, exist_ok=True)
    run("ip", "link", "set", "lo", "up")
    site, hosts, rows = Site(base, app, "tls" in KINDS), [], []
    try:
        for number in (1, 2, 3):
            hosts.append(Host(site, number))
            hosts[-1].start("1h")
        for name in names:
            began = time.monotonic()
            load, allowed = CASES[name](site, hosts)
            result = load.result()
            row = {"scenario": name, "requests": result.pop("requests"), "failed": result.pop("failed"), "allowed": allowed,
                   "seconds": round(time.monotonic() - began, 1), **result, "note": getattr(load, "note", "")}
            rows.append(row)
            print(json.dumps(row), flush=True)
    finally:
        for host in hosts:
            if host:
                host.end()
    table(rows)


main()
