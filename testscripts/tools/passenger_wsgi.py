"""What the Ansible role serves in a test: a greeting from its environment, and who it runs as."""
import os
import pwd


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return ["{} from {}\n".format(os.environ["GREETING"], pwd.getpwuid(os.getuid()).pw_name).encode()]
