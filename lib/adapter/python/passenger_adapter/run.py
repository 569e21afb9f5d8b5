"""The life of the process, in order."""
import faulthandler
import gc
import os
import signal
import sys

from . import contract, load, server


def run(target):
    """Load the application that target names and serve it until SIGTERM."""
    spawner = contract.Spawner()
    _line_by_line()
    faulthandler.enable()
    faulthandler.register(signal.SIGQUIT)
    application = _load(target, spawner)

    # What was loaded lives as long as the process: the collector need not
    # look at it again.
    gc.collect()
    gc.freeze()

    serving = server.Server(application, spawner.listener)
    spawner.ready()
    serving.run()


def _load(target, spawner):
    try:
        return load.application(target)
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
