"""What runs in a WSGI application's process; see run.run.

Needs Python 3.7 and nothing but its standard library, of which it loads as
little as it can, so that the application finds the interpreter as it expects
it.
"""
