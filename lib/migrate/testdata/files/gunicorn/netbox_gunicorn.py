command = '/opt/dcim/venv/bin/gunicorn'
pythonpath = '/opt/dcim/app,/opt/dcim/plugins'
bind = ['127.0.0.1:8001', 'unix:/run/dcim.sock']
workers = 5
threads = 3
timeout = 120
user = 'dcim'
group = "dcim"
umask = 0o007
chdir = "/opt/dcim/app"
raw_env = [
    "DJANGO_SETTINGS_MODULE=dcim.settings",
    "SECRET=abc=def",
    "PORT=9000",
]
# A client's address
forwarded_allow_ips = "10.0.0.1," \
    "10.0.0.2"
limit_request_line = 8190
statsd_host = "localhost:8125"
max_requests = 5000; max_requests_jitter = 500
