"""The life of the process, in order."""
import faulthandler
import gc
import os
import signal
import sys

from . import contract, findings, hints, load, preloader, reexec, server


TESTED_SINCE = (3, 11)


def run(target, preload=False):
    """Load the application that target names and serve it until SIGTERM; or
    serve it in processes forked from this one.
    """
    prepare()
    spawner = contract.Spawner(preload)
    application = load_application(spawner, target)
    gate = _fork_ready(spawner) if preload else None
    if not preload:
        _freeze()
    while _serve(application, spawner, gate):
        gate = _fork_ready(spawner)


def load_application(spawner, target):
    with reexec.Loading(spawner, sys.argv[:]):
        application = or_fail(spawner, load.application, target)
    hints.django()
    return application


def _freeze():
    """Keep the collector from what was loaded, which lives as long as the
    process: it need not look at it again, nor write to memory that is shared
    with others.
    """
    gc.collect()
    gc.freeze()


def _serve(application, spawner, gate):
    """Serve until SIGTERM. Return true in a process that was forked to be a
    preloader.
    """
    serving = _server(application, spawner)
    if gate:
        serving.watch(gate.fileno(), preloader.Preloader(spawner, gate).promote)
    spawner.ready("X_PASSENGER_SESSION=2", "X_PASSENGER_SESSION=3")
    try:
        serving.run()
    except preloader.Promoted:
        return True
    return False


def _server(application, spawner):
    if spawner.threads > 1:
        from . import threaded

        return threaded.ThreadedServer(application, spawner.socket, spawner.threads)
    return server.Server(application, spawner.socket)


def _fork_ready(spawner):
    """Make this process a preloader. Returns in each process that it forks:
    the gate if the process is to keep it.
    """
    or_fail(spawner, preloader.close_databases)
    _freeze()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()  # else each forked process would write it too
    spawner.preloaded(findings.all_but(spawner.descriptors()))
    gate = preloader.Preloader(spawner).run()
    or_fail(spawner, preloader.renew_loop)
    or_fail(spawner, preloader.reseed)
    return gate


def or_fail(spawner, step, *args):
    """Do a step without which nothing can be served, or exit and say why."""
    try:
        return step(*args)
    except BaseException as error:
        load.print_backtrace(error)
        spawner.failed(*load.explain(error))
        # Not sys.exit: threads that the application has already started
        # would keep alive a process that serves no request.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(1)


def prepare():
    """Set the process up for what is common to all Python applications."""
    faulthandler.enable()
    faulthandler.register(signal.SIGQUIT)
    # Into a FIFO, Python holds output back by the block, and what an
    # application prints would show up hours later.
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)
    if sys.version_info < TESTED_SINCE:
        version = ".".join(str(part) for part in sys.version_info[:3])
        sys.stderr.write("passenger: Python %s is older than %d.%d, the oldest that the adapters are tested with; it may work\n"
                         % ((version,) + TESTED_SINCE))
