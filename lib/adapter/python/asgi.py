"""Serve an ASGI application on the socket that passenger-spawn handed down, with
the uvicorn, hypercorn or daphne that the application has.

    python3 asgi.py FILE.py[:ATTRIBUTE]
    python3 asgi.py PACKAGE.MODULE[:ATTRIBUTE]

The working directory is the application's root.
"""
import os
import sys


def main():
    # The adapter is imported from its own directory, which must not stay on
    # the path: the application's modules come first there.
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [here] + [entry for entry in sys.path if entry != here]
    from passenger_adapter import asgi
    sys.path.remove(here)
    asgi.run(sys.argv[1])


# The guard is for multiprocessing, which imports this file again in a child.
if __name__ == "__main__":
    main()
