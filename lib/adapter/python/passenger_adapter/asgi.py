"""The life of a process that serves an ASGI application, in order."""
import os
import sys

from . import asgi_forks, asgi_servers, contract, lifespan, load, run as common


def run(target):
    """Load the application that target names, and serve it until SIGTERM."""
    common.prepare()
    spawner = contract.Spawner()
    application = common.load_application(spawner, target)
    serve = common.or_fail(spawner, _server)
    served = lifespan.Application(application, os.environ.get("PASSENGER_BASE_URI", ""), spawner.ready)
    asgi_forks.install(spawner.socket)
    try:
        serve(served, spawner.socket)
    except BaseException:
        if not served.failure:
            raise
    if served.failure:
        spawner.failed("app", "the application's lifespan startup failed: " + served.failure,
                       "The output holds what it said; it is the part that runs before the first request.")
        sys.exit(1)


def _server():
    """Return the function that serves with the server to be used."""
    wanted = os.environ.get("PASSENGER_ASGI_SERVER", "")
    if wanted and wanted not in asgi_servers.ALL:
        raise load.NoServer('PASSENGER_ASGI_SERVER is "%s", which is none of %s' % (wanted, ", ".join(asgi_servers.ALL)))
    for name in [wanted] if wanted else asgi_servers.ALL:
        if asgi_servers.is_installed(name):
            return asgi_servers.ALL[name]
    raise load.NoServer("no ASGI server is installed: neither " + " nor ".join([wanted] if wanted else asgi_servers.ALL))
