"""The life of the process, in order."""
import faulthandler
import gc
import os
import signal
import sys

from . import contract, findings, load, preloader, server


def run(target, preload=False):
    """Load the application that target names and serve it until SIGTERM; or
    serve it in processes forked from this one.
    """
    faulthandler.enable()
    faulthandler.register(signal.SIGQUIT)
    spawner = contract.Spawner(preload)
    _line_by_line()
    application = _or_fail(spawner, load.application, target)
    if preload:
        _or_fail(spawner, preloader.close_databases)

    # What was loaded lives as long as the process: the collector need not
    # look at it again, nor write to memory that is shared with others.
    gc.collect()
    gc.freeze()

    if preload:
        _fork_ready(spawner)
    serving = server.Server(application, spawner.socket)
    spawner.ready()
    serving.run()


def _fork_ready(spawner):
    """Make this process a preloader. Returns in each process that it forks."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()  # else each forked process would write it too
    spawner.preloaded(findings.all_but(spawner.descriptors()))
    preloader.Preloader(spawner).run()
    _or_fail(spawner, preloader.reseed)


def _or_fail(spawner, step, *args):
    try:
        return step(*args)
    except BaseException as error:
        load.print_backtrace(error)
        spawner.failed(*load.explain(error))
        # Not sys.exit: threads that the application has already started
        # would keep a process alive that serves nobody.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(1)


def _line_by_line():
    # Into a FIFO, Python holds output back by the block, and what an
    # application prints would show up hours later.
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)
