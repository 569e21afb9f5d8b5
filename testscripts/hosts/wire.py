"""A link that loses and delays packets: tc's netem where the kernel has it, else a
pair of TUN devices with this program between them."""
import collections
import fcntl
import os
import random
import select
import struct
import subprocess
import threading
import time

from host import run

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x1, 0x1000


class Wire:
    """The link to a host, while it is bad: each direction loses so many packets of a
    hundred, and takes so many milliseconds."""

    def __init__(self, host, loss, delay):
        self.host, self.loss, self.delay = host, loss / 100, delay / 1000
        self.passed = self.dropped = 0
        netem = ["root", "netem", "delay", f"{delay}ms", "loss", f"{loss}%"]
        self.commands = [["tc", "qdisc", "add", "dev", f"v{host.number}", *netem], host.inside("tc", "qdisc", "add", "dev", "eth0", *netem)]
        tried = subprocess.run(self.commands[0], capture_output=True, text=True, check=False)
        self.netem = tried.returncode == 0
        if self.netem:
            run(*self.commands[1])
            return
        print(f"hosts: this kernel has no netem ({tried.stderr.strip().splitlines()[-1]}): a pair of TUN devices delays and loses packets instead", flush=True)
        self.tunnel()

    def tunnel(self):
        n, pid = self.host.number, str(self.host.holder.pid)
        ours, theirs = self.device(f"t{n}"), self.device(f"u{n}")
        run("ip", "link", "set", f"u{n}", "netns", pid)
        run("ip", "link", "set", f"t{n}", "up")
        run(*self.host.inside("ip", "link", "set", f"u{n}", "up"))
        self.routes = [["ip", "route", "%s", self.host.address + "/32", "dev", f"t{n}", "src", self.host.gateway],
                       self.host.inside("ip", "route", "%s", self.host.gateway + "/32", "dev", f"u{n}", "src", self.host.address)]
        self.files = (ours, theirs)
        self.stopped = os.pipe()
        self.thread = threading.Thread(target=self.carry, daemon=True)
        self.thread.start()
        self.route("add")

    def route(self, verb):
        for command in self.routes:
            run(*(verb if word == "%s" else word for word in command))

    @staticmethod
    def device(name):
        fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH14x", name.encode(), IFF_TUN | IFF_NO_PI))
        return fd

    def carry(self):
        """Carries packets from each end to the other."""
        ours, theirs = self.files
        other, due = {ours: theirs, theirs: ours}, collections.deque()  # of when, where to, and what
        while True:
            wait = max(0, due[0][0] - time.monotonic()) if due else None
            ready, _, _ = select.select([ours, theirs, self.stopped[0]], [], [], wait)
            if self.stopped[0] in ready:
                return
            for fd in ready:
                packet = os.read(fd, 65536)
                if random.random() < self.loss:
                    self.dropped += 1
                else:
                    due.append((time.monotonic() + self.delay, other[fd], packet))
            while due and due[0][0] <= time.monotonic():
                _, fd, packet = due.popleft()
                try:
                    os.write(fd, packet)
                    self.passed += 1
                except OSError:
                    self.dropped += 1  # the device's queue is full

    def end(self):
        if self.netem:
            for command in self.commands:
                run(*("del" if word == "add" else word for word in command[:command.index("root") + 1]))
            return
        self.route("del")
        os.write(self.stopped[1], b".")
        self.thread.join()
        for fd in (*self.files, *self.stopped):
            os.close(fd)
