"""What divides requests among hosts."""
import atexit
import itertools
import os
import socket
import subprocess
import threading

from host import ADMIN, AGENT, TLS, WAIT, WEB, eventually

BALANCER, SERVICE = 8000, 8010  # each speaks TLS at the next port, too


class HAProxy:
    """HAProxy in front of hosts, by their numbers. check is "agent", "http" or "both"."""

    def __init__(self, site, hosts, check, numbers=()):
        self.socket = os.path.join(site.base, "haproxy.sock")
        file = os.path.join(site.base, "haproxy.cfg")
        agent, http = f"agent-check agent-port {AGENT} agent-inter 200ms", f"check port {ADMIN} inter 200ms fall 2 rise 1"
        tls = f"bind 127.0.0.1:{BALANCER + 1} ssl crt {site.certificate}" if site.certificate else ""
        how = {"agent": agent, "http": http, "both": http + " " + agent}[check]
        with open(file, "w", encoding="utf-8") as f:
            f.write(f"""global
    stats socket {self.socket} mode 600 level admin
defaults
    mode http
    timeout connect 10s
    timeout check 5s
    timeout client 120s
    timeout server 120s
    timeout tunnel 1h
    # Another machine gets what could not be handed over.
    option redispatch 1
    retries 3
    # A machine that vanished is known by its silence: sessions there end then.
    option srvtcpka
    srvtcpka-idle 2s
    srvtcpka-intvl 1s
    srvtcpka-cnt 3
frontend web
    bind 127.0.0.1:{BALANCER}
    {tls}
    default_backend hosts
backend hosts
    balance leastconn
    option httpchk GET /readyz
    default-server weight 100 {how}
""")
            for n in numbers or [h.number for h in hosts]:
                f.write(f"    server h{n} 10.77.{n}.2:{WEB} tcp-ut 5s\n")
        self.process = subprocess.Popen(["haproxy", "-db", "-f", file], stdout=hosts[0].log, stderr=hosts[0].log)
        atexit.register(self.end)
        for h in hosts:
            self.await_state(h, "UP", "no check")
        for n in set(numbers) - {h.number for h in hosts}:
            eventually(f"h{n} to be missed", lambda n=n: self.fields(f"h{n}")[17].startswith("DOWN"))

    def fields(self, name):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(WAIT)
            s.connect(self.socket)
            s.sendall(b"show stat\n")
            text = b"".join(iter(lambda: s.recv(65536), b"")).decode()
        for line in text.splitlines():
            fields = line.split(",")
            if fields[:2] == ["hosts", name]:
                return fields
        raise SystemExit(f"hosts: HAProxy does not know {name}")

    def state(self, host):
        return self.fields(host.name)[17]

    def sessions(self, host):
        """Requests and upgraded connections that it has there."""
        return int(self.fields(host.name)[4])

    def await_state(self, host, *states):
        eventually(f"{host.name} to be {states[0]} in HAProxy", lambda: self.state(host).startswith(states))

    def end(self):
        self.process.kill()
        self.process.wait()


class Service:
    """What kube-proxy is: it passes each connection to one of the endpoints, and hears
    of an endpoint's end when it is told."""

    def __init__(self, hosts):
        self.endpoints = [h.address for h in hosts]
        self.turn = itertools.count()
        self.listeners = [(socket.create_server(("127.0.0.1", SERVICE + i), backlog=128), port) for i, port in enumerate((WEB, TLS))]
        self.threads = [threading.Thread(target=self.accept, args=pair, daemon=True) for pair in self.listeners]
        for thread in self.threads:
            thread.start()

    def remove(self, host):
        self.endpoints = [e for e in self.endpoints if e != host.address]

    def accept(self, listener, port):
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            endpoints = self.endpoints
            threading.Thread(target=self.join, args=(client, (endpoints[next(self.turn) % len(endpoints)], port)), daemon=True).start()

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
        for listener, _ in self.listeners:
            listener.shutdown(socket.SHUT_RDWR)
        for thread in self.threads:
            thread.join()
        for listener, _ in self.listeners:
            listener.close()
