"""The ASGI servers that we know how to put on a socket, each as a function that
serves an application until SIGTERM and then finishes what is in flight.
"""
import importlib.util
import os
import signal
import socket
import sys

# How long a server may take to finish. The sender of SIGTERM sets the true
# limit, and ends the process.
_GRACE = 24 * 3600


def is_installed(name):
    return importlib.util.find_spec(name) is not None


def _uvicorn(application, listener):
    import uvicorn

    # Newer versions raise the signal again when they have finished.
    signal.signal(signal.SIGTERM, _leave)
    config = uvicorn.Config(application, interface="asgi3", access_log=False, proxy_headers=False)
    uvicorn.Server(config).run(sockets=[listener])


def _leave(_number, _frame):
    sys.exit(0)


def _hypercorn(application, listener):
    import asyncio

    from hypercorn.asyncio import serve
    from hypercorn.config import Config

    config = Config()
    config.bind = ["fd://%d" % os.dup(listener.fileno())]
    config.graceful_timeout = config.shutdown_timeout = config.startup_timeout = _GRACE

    async def until_signal():
        asked = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, asked.set)
        await serve(application, config, shutdown_trigger=asked.wait)

    asyncio.run(until_signal())


def _daphne(application, listener):
    from daphne import server  # installs the asyncio reactor of Twisted
    from twisted.internet import endpoints, reactor

    # Daphne's own endpoints take descriptors of TCP sockets only.
    server.serverFromString = lambda _reactor, _text: endpoints.AdoptedStreamServerEndpoint(
        reactor, listener.fileno(), socket.AF_UNIX)
    daphne = server.Server(application, endpoints=["inherited"], signal_handlers=False, verbosity=0)
    life = _Lifespan(application)

    def finish():
        busy = [details for details in daphne.connections.values()
                if "application_instance" in details and not details["application_instance"].done()]
        if busy:
            reactor.callLater(0.02, finish)
        else:
            life.end(reactor.stop)

    def stop():
        for listening in daphne.listeners:
            listening.addCallback(lambda port: port.stopListening())
        finish()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: reactor.callFromThread(stop))
    if life.begin(reactor._asyncioEventloop):
        daphne.run()


class _Lifespan:
    """The lifespan of an application whose server has no notion of it."""

    def __init__(self, application):
        self._application = application

    def begin(self, loop):
        """Start the application up; say whether it can be served."""
        import asyncio

        asyncio.set_event_loop(loop)
        self._loop = loop
        self._messages = asyncio.Queue()
        self._answers = asyncio.Queue()
        self._task = loop.create_task(self._run())
        self._messages.put_nowait({"type": "lifespan.startup"})
        return loop.run_until_complete(self._answers.get()) != "lifespan.startup.failed"

    def end(self, then):
        """Shut the application down, and then call then."""
        self._messages.put_nowait({"type": "lifespan.shutdown"})
        self._task.add_done_callback(lambda _: then())

    async def _run(self):
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}}
        try:
            await self._application(scope, self._messages.get, self._answer)
        except Exception as error:
            if self._answers.empty():
                self._answers.put_nowait(repr(error))  # it has no lifespan, or has said why it failed
        else:
            self._answers.put_nowait("")

    async def _answer(self, message):
        self._answers.put_nowait(message["type"])


# In order of preference.
ALL = {"uvicorn": _uvicorn, "hypercorn": _hypercorn, "daphne": _daphne}
