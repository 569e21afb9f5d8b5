"""A child that the application forks inside a request.

It comes back to the event loop with descriptors that it shares with its parent:
the listening socket, the connections, and the kernel's queue of events. What it
did to them would happen to the parent's clients.
"""
import asyncio
import os
import select
import signal
import socket
import sys
import threading

_forked = False
_forking = threading.local()  # its loop: the one that the thread that forks runs, or None


def install(listener):
    """Let go of what serves clients in every child of this process."""
    path = listener.getsockname()
    os.register_at_fork(before=_remember, after_in_child=lambda: _let_go(path))


def is_child():
    """Say whether this process was forked by the one that serves."""
    return _forked


def leave(error=None):
    """End a child whose call of the application has come to its end."""
    code = 0
    if isinstance(error, SystemExit):
        code = error.code if isinstance(error.code, int) else 1 if error.code else 0
    elif error is not None:
        import traceback

        traceback.print_exception(type(error), error, error.__traceback__)
        code = 1
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            pass
    os._exit(code)


def _remember():
    _forking.loop = asyncio._get_running_loop()


def _let_go(path):
    global _forked

    if _forked:
        return  # a child of a child has nothing of it
    _forked = True
    if _forking.loop is None:
        _leave_with_thread()
    if _forking.loop is not None:
        # Python 3.12 and later forget in a child which loop runs, for those that
        # run one of their own there. The tasks of ours would go on no more.
        _forking.loop.call_soon(asyncio._set_running_loop, _forking.loop)
    signal.set_wakeup_fd(-1)  # else its signals would wake the parent, and pass for the parent's
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    for name in os.listdir("/proc/self/fd"):
        descriptor = int(name)
        try:
            kind = os.readlink("/proc/self/fd/" + name)
            if kind.startswith("socket:") and _is_at(descriptor, path):
                _replace(descriptor, os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC))
            elif kind == "anon_inode:[eventpoll]":
                # Of its own: the loop goes on until the application's call ends.
                _replace(descriptor, _epoll())
        except OSError:
            pass  # listdir's own descriptor


def _leave_with_thread():
    """Have a child that was forked in a thread of a pool end with the thread's task.

    The end of the task is told to the loop, which is not there, and the thread
    would then wait for another.
    """
    # Of asyncio's own loops alone: that of uvloop is an extension's.
    asyncio.BaseEventLoop.call_soon_threadsafe = lambda *_args, **_options: leave()
    frame = sys._getframe()
    while frame is not None:
        worker = frame.f_locals.get("self") if frame.f_code.co_name == "run" else None
        future = getattr(worker, "future", None)
        if hasattr(future, "set_result"):  # concurrent.futures.thread
            future.set_result, future.set_exception = lambda _result: leave(), leave
        elif hasattr(getattr(worker, "loop", None), "call_soon_threadsafe"):  # anyio
            worker.loop = _Gone()
        frame = frame.f_back


class _Gone:
    """A loop whose thread is not there."""

    def is_closed(self):
        leave()

    call_soon_threadsafe = is_closed


def _epoll():
    made = select.epoll()
    try:
        return os.dup(made.fileno())
    finally:
        made.close()


def _replace(descriptor, by):
    """Put another file in the place of one. The number stays taken: whoever has
    it must not find what is opened next.
    """
    os.dup2(by, descriptor, inheritable=False)
    os.close(by)


def _is_at(descriptor, path):
    """Say whether a descriptor is a socket at path: the listening one, or one
    that it accepted.
    """
    copy = socket.socket(fileno=os.dup(descriptor))
    try:
        return copy.getsockname() == path
    finally:
        copy.close()
