"""Serve a WSGI application on the socket that passenger-spawn handed down.

    python3 wsgi.py FILE.py[:ATTRIBUTE]
    python3 wsgi.py PACKAGE.MODULE[:ATTRIBUTE]
    python3 wsgi.py --preload FILE.py[:ATTRIBUTE]

The last loads the application, and serves it in the processes that it forks
when passenger-spawn orders one.

The working directory is the application's root. This file alone is written so
that any Python can parse it, and old ones can be told that they are too old.
"""
import os
import sys


def refuse_old_python():
    version = ".".join(str(part) for part in sys.version_info[:3])
    summary = "Python " + version + " is too old: the WSGI adapter needs 3.7 or newer"
    message = (
        'X_PASSENGER_ERROR={"category":"interpreter","summary":"' + summary + '",'
        '"advice":"Set \\"python\\" in Passengerfile.json to a newer interpreter, '
        'or make a virtualenv with one in .venv."}'
    )
    os.write(int(os.environ["PASSENGER_NOTIFY_FD"]), message.encode("ascii"))
    sys.exit(summary)


def main():
    # The adapter is imported from its own directory, which must not stay on
    # the path: the application's modules come first there.
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [here] + [entry for entry in sys.path if entry != here]
    from passenger_adapter import run
    sys.path.remove(here)
    run.run(sys.argv[-1], sys.argv[1] == "--preload")


# The guard is for multiprocessing, which imports this file again in a child.
if __name__ == "__main__":
    if sys.version_info < (3, 7):
        refuse_old_python()
    main()
