"""What the application has left in a preloader that forked processes cannot use:
threads, which they lack, and connections, which they would share.
"""
import os
import socket
import threading


def all_but(own):
    """Return one sentence for each; own are descriptors that are ours."""
    return _threads() + _connections(own)


def _threads():
    others = [thread for thread in threading.enumerate() if thread is not threading.current_thread()]
    return ['the thread "%s"%s will not run in the processes that are forked' % (thread.name, _place(thread))
            for thread in others]


def _place(thread):
    """Where the code of a thread begins; it is not kept who started it."""
    target = getattr(thread, "_target", None) or type(thread).run
    code = getattr(target, "__code__", None)
    return ' running %s (%s:%d)' % (code.co_name, code.co_filename, code.co_firstlineno) if code else ""


def _connections(own):
    peers = [_peer(descriptor) for descriptor in sorted(map(int, os.listdir("/dev/fd"))) if descriptor not in own]
    return ["the connection to %s will be shared by the processes that are forked; "
            "close it in os.register_at_fork(before=…)" % peer for peer in peers if peer]


def _peer(descriptor):
    """The address that a descriptor connects to, None if to none."""
    try:
        connection = socket.socket(fileno=descriptor)
    except OSError:
        return None  # not a socket
    try:
        peer = connection.getpeername()
    except OSError:
        return None
    finally:
        connection.detach()
    if isinstance(peer, tuple):
        return "%s:%d" % peer[:2]
    return peer if isinstance(peer, str) and peer else None  # a pair has no path, and no other side
