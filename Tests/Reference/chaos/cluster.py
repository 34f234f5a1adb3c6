"""A coordinator with its gateway and workers, each a process on a host of its own, and what happens to them."""

import json
import os
import pathlib
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request

from hosts import SUBNET, Failure, Host

HTTP_PORT, NODE_PORT, WORKER_PORT = 8080, 7070, 7100
PROXY_NUMBER, PROXY_OFFSET = 99, 100
# So much for each worker that the demo model needs two of them, and leaves pages for a few streams.
MEMORY = "59MiB"
# Workers are equal; so a worker that is back need not be measured, which would disturb the others.
SPEED = "1000000000"
# As long a worker that is asked to end waits for others to take its layers.
DRAIN_SECONDS = 10


class Node:
    """A process on a host, started as often as needed; its log goes on in one file."""

    def __init__(self, host, arguments, folder, environment):
        self.host, self.arguments, self.environment = host, arguments, environment
        self.log_path = folder / f"{host.name}.log"
        self.process = None
        # Whether it should be running now, and how it ended when nobody had asked for that.
        self.is_wanted = False
        self.unexpected_ends = []
        # Held while it is started, so that nobody takes a process that is about to be for one that ended.
        self._lock = threading.RLock()

    @property
    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def start(self):
        with self._lock, open(self.log_path, "ab") as log:
            self.is_wanted = True
            self.process = subprocess.Popen(
                self.host.command(*self.arguments), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=self.environment)

    def send(self, number):
        if self.is_running:
            self.process.send_signal(number)

    def end(self, number, timeout):
        """Sends a signal and waits for the end; gives the exit status, negative for a signal, None for no end in time."""
        self.is_wanted = False
        self.send(number)
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None

    def note_end(self):
        """Remembers an end that nobody caused, and starts the process again."""
        with self._lock:
            if self.is_wanted and not self.is_running:
                self.unexpected_ends.append(self.process.returncode)
                self.start()

    def resources(self):
        """(resident bytes, open descriptors); None when it does not run."""
        try:
            pid = self.process.pid
            pages = int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1])
            return pages * os.sysconf("SC_PAGESIZE"), len(os.listdir(f"/proc/{pid}/fd"))
        except (OSError, AttributeError, IndexError):
            return None


class Cluster:
    """The processes of a run. Plain text between nodes (`secure=False`) lets flipped bits reach the checksums."""

    def __init__(self, phalanx, folder, workers, guests, secure, replicas, proxied=(), flags=()):
        self.phalanx, self.folder, self.secure = phalanx, folder, secure
        (folder / "config").mkdir()
        (folder / "cache").mkdir()
        self.environment = {**os.environ, "XDG_CONFIG_HOME": str(folder / "config"),
                            "XDG_CACHE_HOME": str(folder / "cache")}
        coordinator = Host("coordinator", 1)
        self.address = (coordinator.address, HTTP_PORT)
        if secure:
            self._phalanx("cluster", "init")
        self.coordinator = Node(coordinator, [
            phalanx, "coordinator", "--model", "demo", "--workers", str(len(workers)), "--replicas", str(replicas),
            "--bind", coordinator.address, "--port", str(NODE_PORT), "--http-host", coordinator.address,
            "--http-port", str(HTTP_PORT), "--insecure", *self._trust("coordinator"), *flags,
        ], folder, self.environment)
        self.workers = {}
        pairs = []
        for number, name in enumerate((*workers, *guests), start=11):
            host = Host(name, number)
            advertised = host.address
            if name in proxied:
                advertised = f"{SUBNET}.{number + PROXY_OFFSET}"
                host.reached_at.add(advertised)
                pairs.append((name, f"{advertised}:{WORKER_PORT}={host.address}:{WORKER_PORT}"))
            self.workers[name] = Node(host, [
                phalanx, "worker", "--join", f"{coordinator.address}:{NODE_PORT}", "--bind", host.address, "--port",
                str(WORKER_PORT), "--advertise", advertised, "--name", name, "--threads", "1", "--memory", MEMORY,
                "--speed", SPEED, "--drain-timeout", str(DRAIN_SECONDS), *self._trust(name),
            ], folder, self.environment)
        self.guests = tuple(guests)
        self.proxy = None
        if pairs:
            self._start_proxy(pairs)

    def _phalanx(self, *arguments):
        try:
            done = subprocess.run(
                [self.phalanx, *arguments], env=self.environment, capture_output=True, text=True, timeout=60)
        except subprocess.TimeoutExpired:
            raise Failure(f"phalanx {' '.join(arguments)} took more than 60 s") from None
        if done.returncode:
            raise Failure(f"phalanx {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def _trust(self, name):
        """The flags that say who a node is."""
        if not self.secure:
            return ["--cluster-dir", "none", *(["--insecure"] if name != "coordinator" else [])]
        if name == "coordinator":
            return []
        token = self.folder / f"{name}.token"
        token.touch(0o600)
        token.write_text(self._phalanx("cluster", "invite"))
        return ["--token-file", str(token), "--cluster-dir", str(self.folder / "config" / name)]

    def _start_proxy(self, pairs):
        numbers = [int(pair.split(":")[0].rsplit(".", 1)[1]) for _, pair in pairs]
        host = Host("proxy", PROXY_NUMBER, *numbers)
        self._proxied = {name: pair.split(":")[0] for name, pair in pairs}
        self.proxy = subprocess.Popen(
            host.command("python3", str(pathlib.Path(__file__).parent / "proxy.py"), *(pair for _, pair in pairs)),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        if self.proxy.stdout.readline().strip() != "ready":
            raise Failure("the proxy that damages frames did not start")

    @property
    def nodes(self):
        return {"coordinator": self.coordinator, **self.workers}

    def start(self):
        """Starts everything but the guests, and waits until it serves."""
        self.coordinator.start()
        for name, worker in self.workers.items():
            if name not in self.guests:
                worker.start()
        if not self.wait_until_ready(30):
            raise Failure(f"the cluster does not serve: {self.reason()}\nIts logs are in {self.folder}")

    def fetch(self, path):
        """(status, JSON) at a path of the gateway; (None, reason) when there is no answer."""
        try:
            with urllib.request.urlopen(f"http://{self.address[0]}:{self.address[1]}{path}", timeout=5) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, error.read(400).decode(errors="replace")
        except (OSError, ValueError) as error:
            return None, str(error)

    def reason(self):
        return self.fetch("/readyz")[1]

    def wait_until_ready(self, seconds):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.fetch("/readyz")[0] == 200:
                return True
            time.sleep(0.1)
        return False

    def known_workers(self):
        """The names of the workers that the coordinator sees now."""
        status, body = self.fetch("/status")
        return {worker["id"] for worker in body["workers"]} if status == 200 else set()

    def begin(self, fault):
        """Lets a fault happen. Gives a note when something went otherwise than it should."""
        node = self.workers[fault.target]
        host = node.host
        if fault.kind == "kill":
            node.end(signal.SIGKILL, 10)
        elif fault.kind == "stop":
            node.send(signal.SIGSTOP)
        elif fault.kind == "cut":
            host.cut()
        elif fault.kind == "oneway":
            self._one_way(host, fault, Host.mute)
        elif fault.kind == "slow":
            host.slow(fault.detail["mbit"])
        elif fault.kind == "corrupt":
            self.proxy.stdin.write(f"{self._proxied[fault.target]} {int(fault.at * 100)}\n")
        elif fault.kind == "restart":
            return self._leave(node, fault, node.end(signal.SIGTERM, 30))
        elif fault.kind == "drain":
            return self._drain(node, fault)
        elif fault.kind == "join":
            node.start()
        return None

    def _drain(self, node, fault):
        node.is_wanted = False
        try:
            self._phalanx("drain", fault.target, "--coordinator", f"{self.address[0]}:{NODE_PORT}",
                          *([] if self.secure else ["--cluster-dir", "none"]))
        except Failure as failure:
            # That the others cannot do without it now, or that it is not there, is a good answer.
            node.is_wanted = True
            is_refused = "is needed" in str(failure) or "no worker is named" in str(failure)
            return None if is_refused else str(failure)
        return self._leave(node, fault, node.end(0, 30))

    def _one_way(self, host, fault, action):
        if "to" in fault.detail:
            action(host, self.nodes[fault.detail["to"]].host)
        else:
            action(self.nodes[fault.detail["from"]].host, host)

    def _leave(self, node, fault, status):
        if status is None:
            node.end(signal.SIGKILL, 10)
            return f"{fault.target} did not end within 30 s of a {fault.kind}"
        return f"{fault.target} ended with status {status} after a {fault.kind}" if status else None

    def undo(self, fault):
        """Makes good what a fault did."""
        node = self.workers[fault.target]
        host = node.host
        if fault.kind in ("kill", "restart", "drain"):
            if not node.is_running:
                node.start()
        elif fault.kind == "stop":
            node.send(signal.SIGCONT)
        elif fault.kind == "cut":
            host.uncut()
        elif fault.kind == "oneway":
            self._one_way(host, fault, Host.unmute)
        elif fault.kind == "slow":
            host.unslow()
        elif fault.kind == "corrupt":
            self.proxy.stdin.write(f"{self._proxied[fault.target]}\n")
        elif fault.kind == "join":
            return self._leave(node, fault, node.end(signal.SIGTERM, 30))
        return None

    def stop(self):
        for node in self.nodes.values():
            node.send(signal.SIGCONT)
            node.is_wanted = False
            node.send(signal.SIGTERM)
        for node in self.nodes.values():
            if node.is_running and node.end(0, 15) is None:
                node.end(signal.SIGKILL, 10)
        if self.proxy:
            self.proxy.stdin.close()
            self.proxy.wait(10)
