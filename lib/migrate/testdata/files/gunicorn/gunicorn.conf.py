"""Settings of Gunicorn for the billing application."""
import multiprocessing

wsgi_app = "billing.wsgi:application"
bind = "0.0.0.0:8000"
workers = multiprocessing.cpu_count() * 2 + 1
threads = 4
worker_class = "gthread"
timeout = 60
graceful_timeout = 30
keepalive = 5
max_requests = 1_000
max_requests_jitter = 50
preload_app = True
accesslog = "-"
errorlog = "-"
loglevel = "info"
proc_name = "billing"


def on_starting(server):
    server.log.info("starting")


def post_fork(server, worker):
    server.log.info("Worker spawned (pid: %s)", worker.pid)
