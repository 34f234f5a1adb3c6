"""Rows of servers under load: `phalanx bench serve` against ours and llama-server, and pipelines of two workers."""

import contextlib
import json
import pathlib
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
from dataclasses import dataclass, field

from .builds import Failure
from .measuring import Sample, last_json_line, run

MINI = "phi-3-mini-Q4_0.gguf"
START_SECONDS = 600


# ---- Servers --------------------------------------------------------------------------------------------------------


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def listens(port):
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def fetch(url):
    """The JSON at an address; None when there is none (yet)."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)
    except (OSError, ValueError):
        return None


@contextlib.contextmanager
def server(command, is_ready):
    """Starts a server and waits until it is ready; gives its process id, and ends it afterwards."""
    with tempfile.TemporaryFile("w+", errors="replace") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        try:
            deadline = time.monotonic() + START_SECONDS
            while not is_ready():
                if process.poll() is not None or time.monotonic() > deadline:
                    log.seek(0)
                    raise Failure(f"{' '.join(command)} does not serve:\n{log.read()[-2000:]}")
                time.sleep(0.1)
            yield process.pid
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


# ---- Loads and sides ------------------------------------------------------------------------------------------------


@dataclass
class Load:
    """As many requests as streams, all at once."""

    streams: int
    prompt: int
    output: int

    def run(self, options, url, servers):
        """What `phalanx bench serve` says, and the part of the machine that others took."""
        done = run([
            options.phalanx, "bench", "serve", "--url", url, "--concurrency", str(self.streams),
            "--requests", str(self.streams), "--prompt-tokens", str(self.prompt), "--max-tokens", str(self.output),
            "--json",
        ], servers=servers)
        result = last_json_line(done.output)
        if result["short_answers"] or result["prompt_tokens"] != self.streams * self.prompt:
            raise Failure(f"{url} did not compute what was asked for: {json.dumps(result)}")
        return result, done.others


@dataclass
class Ours:
    """Phalanx with workers of this machine, and its gateway."""

    workers: int
    load: Load
    read: object  # from the result of `phalanx bench serve` and the cluster's status to the row's value
    threads: int = 0  # of all workers together; 0 for as many as are asked for

    tools = ()

    def run(self, options, builds, model):
        threads = self.threads or options.threads
        port = free_port()
        with tempfile.TemporaryDirectory() as folder:
            ready = pathlib.Path(folder) / "ready.json"
            command = [
                options.phalanx, "up", "--model", model, "--workers", str(self.workers), "--threads", str(threads),
                "--port", str(port), "--ready-file", str(ready), *options.cache_arguments,
            ]
            with server(command, ready.is_file) as process:
                url = f"http://127.0.0.1:{port}"
                result, others = self.load.run(options, url, [process])
                status = fetch(url + "/status")
        value = self.read(result, status)
        if value is None:
            raise Failure("the cluster's status does not report what this row needs; build a newer phalanx")
        return Sample(value, others, detail={"serve": result, "status": status})


@dataclass
class LlamaServer:
    """llama-server on this machine, a slot for each stream."""

    load: Load
    read: object

    tools = ("llama-server",)

    def run(self, options, builds, model):
        port = free_port()
        # Nothing is computed twice here: copies of what slots held before would only cost time.
        command = [
            builds.tool("native", "llama-server"), "-m", model, "-t", str(options.threads), "-np",
            str(self.load.streams), "-c", str(self.load.streams * (self.load.prompt + self.load.output + 64)),
            "--cache-ram", "0", "--load-mode", "none", "--host", "127.0.0.1", "--port", str(port),
        ]
        with server(command, lambda: fetch(f"http://127.0.0.1:{port}/health") is not None) as process:
            result, others = self.load.run(options, f"http://127.0.0.1:{port}", [process])
        return Sample(self.read(result, None), others, detail={"serve": result, "command": command})


@dataclass
class LlamaCluster:
    """One of llama.cpp's benchmarks over two ggml-rpc-server of one thread each."""

    command: list
    read: object  # from what the benchmark printed to the row's value

    @property
    def tools(self):
        return ("ggml-rpc-server", self.command[0])

    def run(self, options, builds, model):
        with contextlib.ExitStack() as stack:
            ports = [free_port() for _ in range(2)]
            processes = [
                stack.enter_context(server(
                    [builds.tool("native", "ggml-rpc-server"), "-t", "1", "-H", "127.0.0.1", "-p", str(port)],
                    lambda port=port: listens(port)))
                for port in ports
            ]
            command = [
                builds.tool("native", self.command[0]), "-m", model, "-t", "1", "-ngl", "99",
                "--rpc", ",".join(f"127.0.0.1:{port}" for port in ports), *self.command[1:],
            ]
            done = run(command, servers=processes)
        return Sample(self.read(done.output), done.others, detail={"command": command})


# ---- What is read of a result ---------------------------------------------------------------------------------------


def total(result, _):
    return result["total_tokens_per_second"]


def prefill(result, _):
    return result["prompt_tokens"] / result["time_to_first_token_ms"]["mean"] * 1000


def decode(result, _):
    return 1000 / result["time_per_output_token_ms"]["mean"]


def worst_gap(result, _):
    return result["worst_stream"]["p99_to_median_of_all"]


def turnaround(_, status):
    latency = ((status or {}).get("scheduling") or {}).get("turnaround") or {}
    return latency["medianMicroseconds"] / 1000 if latency.get("count") else None


def llama_bench_rate(output):
    return json.loads(output)[-1]["avg_ts"]


def batched_bench_total(output):
    return last_json_line(output)["speed"]


# ---- Rows -----------------------------------------------------------------------------------------------------------


@dataclass
class ServingRow:
    name: str
    title: str
    suite: str
    measured: dict  # names of the sides, ours first
    bars: dict = field(default_factory=dict)
    unit: str = "tokens/s"
    model: str = MINI

    limit = None

    def tools(self):
        return [("native", tool) for side in self.measured.values() for tool in side.tools]

    def reason_to_skip(self, options):
        """Why the row cannot be measured here; None when it can."""
        return None

    def sides(self, options, builds):
        model = options.model_path(self.model)
        return {
            name: lambda side=side: side.run(options, builds, model) for name, side in self.measured.items()
        }


def llama_bench(*arguments):
    return ["llama-bench", "-r", "1", "-o", "json", *arguments]


def pipeline(load, read):
    return Ours(2, load, read, threads=2)


CHAT = Load(8, 256, 64)

ROWS = [
    ServingRow(
        "serve-8", "8 requests at once, 256 tokens in, 64 out, in all", "serve",
        {"phalanx": Ours(1, CHAT, total), "llama-server": LlamaServer(CHAT, total)}, {"ratio": (2.0, None)},
    ),
    ServingRow(
        "serve-gap", "worst stream's p99 gap, of the median gap, 16 streams", "serve",
        {"phalanx": Ours(1, Load(16, 64, 128), worst_gap)}, {"at_most": (5.0, None)}, unit="x",
    ),
    *(
        ServingRow(
            f"cluster-{streams}", f"2 workers x 1 thread, {streams} streams, 64 tokens in, 64 out, in all", "cluster",
            {
                "2 workers x 1 thread": pipeline(Load(streams, 64, 64), total),
                "1 worker x 2 threads": Ours(1, Load(streams, 64, 64), total, threads=2),
            },
            bars,
        )
        for streams, bars in ((32, {"ratio": (0.85, None)}), (8, {}))
    ),
    ServingRow(
        "cluster-prefill", "2 workers x 1 thread, prefill, 512 tokens", "cluster",
        {
            "phalanx": pipeline(Load(1, 512, 1), prefill),
            "llama.cpp over RPC": LlamaCluster(llama_bench("-p", "512", "-n", "0"), llama_bench_rate),
        },
        {"ratio": (2.5, None)},
    ),
    ServingRow(
        "cluster-decode", "2 workers x 1 thread, decode, 1 stream", "cluster",
        {
            "phalanx": pipeline(Load(1, 16, 64), decode),
            "llama.cpp over RPC": LlamaCluster(llama_bench("-p", "0", "-n", "64"), llama_bench_rate),
        },
        {"ratio": (1.6, None)},
    ),
    ServingRow(
        "cluster-llama-8", "2 workers x 1 thread, 8 streams, 16 tokens in, 64 out, in all", "cluster",
        {
            "phalanx": pipeline(Load(8, 16, 64), total),
            "llama.cpp over RPC": LlamaCluster(
                ["llama-batched-bench", "-c", "1024", "-npp", "16", "-ntg", "64", "-npl", "8",
                 "--output-format", "jsonl"], batched_bench_total),
        },
        {"ratio": (4.0, None)},
    ),
    ServingRow(
        "cluster-turnaround", "2 workers x 1 thread, 8 streams, from a step's result to the next step sent, median",
        "cluster", {"phalanx": pipeline(Load(8, 16, 64), turnaround)}, {"at_most": (2.0, None)}, unit="ms",
    ),
    ServingRow(
        "cluster-gap", "2 workers x 1 thread, worst stream's p99 gap, of the median gap, 16 streams", "cluster",
        {"phalanx": pipeline(Load(16, 64, 128), worst_gap)}, {"at_most": (5.0, None)}, unit="x",
    ),
]
