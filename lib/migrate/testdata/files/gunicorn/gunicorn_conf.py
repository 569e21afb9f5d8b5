# as in images for FastAPI
import json
import os

workers_per_core_str = os.getenv("WORKERS_PER_CORE", "1")
web_concurrency_str = os.getenv("WEB_CONCURRENCY", "4")
host = os.getenv("HOST", "0.0.0.0")
port = os.getenv("PORT", "80")
bind_env = os.getenv("BIND", None)
use_loglevel = os.getenv("LOG_LEVEL", "info")
if bind_env:
    use_bind = bind_env
else:
    use_bind = f"{host}:{port}"

wsgi_app = "app.main:app"
worker_class = "uvicorn.workers.UvicornWorker"
workers = int(web_concurrency_str)
loglevel = use_loglevel
bind = use_bind
timeout = int(os.getenv("TIMEOUT", "120"))
keepalive = 5
worker_tmp_dir = "/dev/shm"
errorlog = os.getenv("ERROR_LOG", "-") or None
log_data = {
    "loglevel": loglevel,
    "workers": workers,
}
print(json.dumps(log_data))
