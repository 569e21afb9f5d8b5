"""bundle.py CONFIG APPDIR: makes what umoci wrote into the strictest that we promise to run in.
bundle.py --health ARCHIVE: prints the health check of the image in a docker-archive."""

import json
import sys
import tarfile


def health(path):
    with tarfile.open(path) as archive:
        manifest = json.load(archive.extractfile("manifest.json"))
        config = json.load(archive.extractfile(manifest[0]["Config"]))
    kind, command = config["config"]["Healthcheck"]["Test"]
    assert kind == "CMD-SHELL", kind
    print(command)


def restrict(path, app):
    with open(path) as f:
        config = json.load(f)
    process = config["process"]
    process["terminal"] = False
    process["user"] = {"uid": 12345, "gid": 0}
    process["noNewPrivileges"] = True
    process["capabilities"] = {}
    config["root"]["readonly"] = True
    # Without limits: who runs a test may not be allowed to make a cgroup.
    config["linux"].pop("resources", None)
    config["mounts"] = [m for m in config["mounts"] if m["destination"] != "/sys/fs/cgroup"]
    # As Kubernetes mounts an emptyDir: all may write there.
    config["mounts"] += [
        {"destination": d, "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "nodev", "mode=0777"]}
        for d in ("/tmp", "/run/passenger")
    ]
    config["mounts"].append({"destination": "/app", "type": "bind", "source": app, "options": ["bind", "ro"]})
    with open(path, "w") as f:
        json.dump(config, f)


if sys.argv[1] == "--health":
    health(sys.argv[2])
else:
    restrict(sys.argv[1], sys.argv[2])
