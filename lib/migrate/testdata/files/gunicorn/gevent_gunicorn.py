from gevent import monkey
monkey.patch_all()
import os

worker_class = "gevent"
workers = 3
worker_connections = 1000
wsgi_app = "monitor:create_app()"
bind = "unix:/tmp/monitor.sock"
daemon = False
pidfile = "/tmp/monitor.pid"
reload: bool = True
certfile = "/etc/ssl/monitor.pem"
keyfile = "/etc/ssl/monitor.key"
logconfig_dict = {
    "version": 1,
    "handlers": {
        "console": {"class": "logging.StreamHandler"},
    },
}
timeout = 90

class Filter(object):
    def filter(self, record):
        return True

@staticmethod
def pre_request(worker, req):
    worker.log.debug("%s %s" % (req.method, req.path))
