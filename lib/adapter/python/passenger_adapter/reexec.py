"""Applications that change to another interpreter while they load:

    if sys.executable != INTERP:
        os.execl(INTERP, INTERP, *sys.argv)

is how a virtual environment was chosen on shared hosting for long. What they
see as sys.argv is their startup file alone, so the adapter is put before it,
and what it took up is handed down again.
"""
import os
import sys

# How often one process may change. An interpreter that does not report the path
# it was started by, as a link or a wrapper does, would do so for ever.
_MOST = 8

_COUNT = "PASSENGER_EXECS"

# The attribute of an OSError that says what could not be executed.
TRIED = "_passenger_tried"


class Endless(Exception):
    """The application changed to another interpreter again and again."""

    __module__ = "passenger"


class Loading:
    """Around the loading of the application: what it executes in place of this
    process, if that is itself once more, is the adapter.
    """

    def __init__(self, spawner, command):
        self._spawner = spawner
        self._command = command  # the adapter's own sys.argv
        self._count = int(os.environ.pop(_COUNT, "0"))

    def __enter__(self):
        self._execv, self._execve = os.execv, os.execve
        os.execv, os.execve = self._in_place, self._in_place_with

    def __exit__(self, *_):
        os.execv, os.execve = self._execv, self._execve

    # All else in os that executes calls one of these two.

    def _in_place(self, path, args):
        if self._is_itself(args):
            self._again(path, args, os.environ)
        self._execv(path, args)

    def _in_place_with(self, path, args, env):
        if self._is_itself(args):
            self._again(path, args, env)
        self._execve(path, args, env)

    def _is_itself(self, args):
        rest = [os.fsdecode(arg) for arg in args[1:]]
        if not rest or not all(option.startswith("-") for option in rest[:-1]):
            return False
        return rest[-1] == sys.argv[0] or os.path.abspath(rest[-1]) == os.path.abspath(sys.argv[0])

    def _again(self, path, args, env):
        if self._count >= _MOST:
            raise Endless("the application executed %s %d times, which did not make it sys.executable" % (os.fsdecode(path), _MOST))
        env = dict(env, **self._spawner.handed_down())
        env[_COUNT] = str(self._count + 1)
        try:
            with self._spawner.inheritable():
                self._execve(path, list(args[:-1]) + self._command, env)
        except OSError as error:
            setattr(error, TRIED, os.fsdecode(path))
            raise
