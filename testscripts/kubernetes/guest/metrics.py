"""metrics.py CERTIFICATE KEY: answers custom.metrics.k8s.io with what pods measure, as
prometheus-adapter does by the rule in lib/dist/kubernetes/components/hpa: the seconds that
requests took, of each second."""

import http.server
import json
import re
import ssl
import subprocess
import sys
import time
import urllib.request

METRIC = "passenger_requests_busy"
BASE = "/apis/custom.metrics.k8s.io/v1beta1"
last = {}  # by pod: when it was asked, what it had counted, the rate before


def pods():
    text = subprocess.run(
        ["kubectl", "get", "pods", "-l", "app.kubernetes.io/name=app", "-o", "json"], capture_output=True, check=True
    ).stdout
    for pod in json.loads(text)["items"]:
        if pod["status"].get("podIP"):
            yield pod["metadata"]["name"], pod["status"]["podIP"]


def busy(name, address):
    with urllib.request.urlopen(f"http://{address}:3001/metrics", timeout=10) as answer:
        text = answer.read().decode()
    now = time.monotonic()
    total = sum(float(v) for v in re.findall(r"^passenger_proxy_request_duration_seconds_sum\{.*\} (\S+)$", text, re.M))
    at, before, rate = last.get(name, (now, total, 0.0))
    if now - at >= 15:
        rate = (total - before) / (now - at)
    elif name in last:
        return rate
    last[name] = (now, total, rate)
    return rate


def values():
    for name, address in pods():
        try:
            value = busy(name, address)
        except OSError:
            continue  # a pod that starts or ends
        yield {
            "describedObject": {"kind": "Pod", "namespace": "default", "name": name, "apiVersion": "v1"},
            "metricName": METRIC,
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "value": f"{int(value * 1000)}m",
        }


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        path = self.path.partition("?")[0].rstrip("/")
        if path == BASE:
            resource = {"name": "pods/" + METRIC, "singularName": "", "namespaced": True, "kind": "MetricValueList", "verbs": ["get"]}
            body = {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": "custom.metrics.k8s.io/v1beta1", "resources": [resource]}
        elif path.endswith("/pods/*/" + METRIC) or path.endswith("/pods/%2A/" + METRIC):
            body = {"kind": "MetricValueList", "apiVersion": "custom.metrics.k8s.io/v1beta1", "metadata": {}, "items": list(values())}
        else:
            self.send_error(404)
            return
        text = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


server = http.server.ThreadingHTTPServer(("0.0.0.0", 6444), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1], sys.argv[2])
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
