"""`/metrics` as Debian's real Prometheus sees it, and the dashboard and alerts in `deploy` held against it.

Needs a running gateway, any model: PHALANX_URL=http://127.0.0.1:8080 pytest test_prometheus.py
What needs `prometheus` and `promtool` is skipped where they are not installed (apt-get install prometheus).
"""

import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest

URL = os.environ.get("PHALANX_URL", "").rstrip("/")
DEPLOY = pathlib.Path(__file__).resolve().parents[3] / "deploy"
RULES = DEPLOY / "prometheus-alerts.yml"
DASHBOARD = json.loads((DEPLOY / "grafana" / "phalanx.json").read_text())

pytestmark = pytest.mark.skipif(not URL, reason="set PHALANX_URL to a running gateway")
needs_prometheus = pytest.mark.skipif(
    not (shutil.which("prometheus") and shutil.which("promtool")),
    reason="prometheus and promtool are not installed",
)


def get(url):
    with urllib.request.urlopen(url, timeout=30) as answer:
        return answer.read().decode()


def ask():
    body = json.dumps({"prompt": "The capital of France is", "max_tokens": 8, "temperature": 0})
    request = urllib.request.Request(
        URL + "/v1/completions", body.encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=120) as answer:
        return json.load(answer)


@pytest.fixture(scope="module")
def page():
    ask()
    return get(URL + "/metrics")


@pytest.fixture(scope="module")
def names(page):
    """The names of all samples."""
    return {line.split("{")[0].split(" ")[0] for line in page.splitlines() if not line.startswith("#")}


def expressions():
    """Every expression of the dashboard, as Grafana sends it."""
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", []):
            yield target["expr"].replace("$__rate_interval", "1m").replace("$job", ".*")


def alert_expressions():
    text = RULES.read_text()
    for match in re.finditer(r"^( +)expr: (?:>-\n((?:\1 +.*\n)+)|(.*)\n)", text, re.MULTILINE):
        yield (match[2] or match[3]).strip()


def measurements(expression):
    return set(re.findall(r"\b(?:phalanx|process)_[a-z0-9_]+", expression))


def test_every_name_in_dashboard_and_alerts_is_served(names):
    used = [measurements(expression) for expression in expressions()]
    used += [measurements(expression) for expression in alert_expressions()]
    assert len(used) > 40
    assert set().union(*used) <= names


def test_the_workers_are_told_apart(page):
    status = json.loads(get(URL + "/status"))
    told = re.findall(r'^phalanx_worker_up\{worker="([^"]*)"\} ([01])$', page, re.MULTILINE)
    assert [worker for worker, _ in told] == [worker["id"] for worker in status["workers"]]
    assert all(up == "1" for _, up in told)


@needs_prometheus
def test_promtool_finds_nothing_to_mend(page):
    result = subprocess.run(["promtool", "check", "metrics"], input=page, text=True, capture_output=True)
    assert result.returncode == 0, result.stdout + result.stderr
    assert not (result.stdout + result.stderr).strip()


@needs_prometheus
def test_the_configuration_and_the_alerts_are_valid():
    for arguments in ["config", str(DEPLOY / "prometheus.yml")], ["rules", str(RULES)]:
        result = subprocess.run(["promtool", "check", *arguments], text=True, capture_output=True)
        assert result.returncode == 0, result.stdout + result.stderr


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory):
    """A Prometheus of its own that scrapes the gateway each second, by its address."""
    folder = tmp_path_factory.mktemp("prometheus")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    configuration = (DEPLOY / "prometheus.yml").read_text()
    for old, new in [
        ("127.0.0.1:8080", urllib.parse.urlsplit(URL).netloc),
        ("scrape_interval: 15s", "scrape_interval: 1s"),
        ("evaluation_interval: 15s", "evaluation_interval: 1s"),
        ("prometheus-alerts.yml", str(RULES)),
    ]:
        assert configuration.count(old) >= 1
        configuration = configuration.replace(old, new)
    (folder / "prometheus.yml").write_text(configuration)
    with open(folder / "log", "w") as log:
        process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=log,
            stderr=log,
        )
    try:
        yield f"http://127.0.0.1:{port}", process, folder / "log"
    finally:
        process.terminate()
        process.wait(timeout=30)


def query(address, expression):
    answer = json.loads(get(f"{address}/api/v1/query?" + urllib.parse.urlencode({"query": expression})))
    assert answer["status"] == "success"
    return answer["data"]["result"]


def wait_for(server, expression):
    """The value of the first sample, once the expression has one."""
    address, process, log = server
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            if result := query(address, expression):
                return float(result[0]["value"][1])
        except (urllib.error.URLError, ConnectionError):
            pass
        time.sleep(0.2)
    raise AssertionError(f"{expression} had no value in a minute")


@needs_prometheus
def test_prometheus_scrapes_the_gateway_and_sees_counters_rise(prometheus):
    assert wait_for(prometheus, "up == 1") == 1
    before = wait_for(prometheus, "phalanx_generation_tokens_total")
    tokens = ask()["usage"]["completion_tokens"]
    assert tokens > 0
    assert wait_for(prometheus, f"phalanx_generation_tokens_total >= {before + tokens}") >= before + tokens
    assert wait_for(prometheus, 'phalanx_cluster_state{state="ready"} == 1') == 1
    assert wait_for(prometheus, "phalanx_time_to_first_token_seconds_count > 0") > 0
    assert wait_for(prometheus, "scrape_samples_scraped") < 1000


@needs_prometheus
def test_prometheus_understands_every_expression(prometheus):
    wait_for(prometheus, "phalanx_coordinator_up")
    for expression in [*expressions(), *alert_expressions()]:
        query(prometheus[0], expression)
    rules = json.loads(get(prometheus[0] + "/api/v1/rules"))["data"]["groups"]
    assert sum(len(group["rules"]) for group in rules) == len(list(alert_expressions()))
