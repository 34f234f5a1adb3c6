"""API keys, limits, the content filter, the audit log and TLS, as the clients of OpenAI and Anthropic see them.

Starts a cluster of its own: PHALANX_PROGRAM=.build/release/phalanx pytest test_keys_and_filter.py
"""

import json
import os
import signal
import ssl
import subprocess
import time

import anthropic
import httpx
import openai
import pytest

PROGRAM = os.environ.get("PHALANX_PROGRAM", "")

pytestmark = pytest.mark.skipif(not PROGRAM, reason="set PHALANX_PROGRAM to the program phalanx")

QUESTION = [{"role": "user", "content": "What is the capital of France?"}]
RULES = {
    "rules": [
        {"name": "weapons", "words": ["death ray"], "on": "input"},
        {"name": "capitals", "pattern": "(?i)\\bpar[a-z]s\\b", "on": "output"},
    ]
}


class Cluster:
    def __init__(self, folder):
        self.folder = folder
        self.environment = {**os.environ, "XDG_CONFIG_HOME": str(folder / "config"), "XDG_CACHE_HOME": str(folder / "cache")}
        self.audit = folder / "audit.jsonl"
        self.certificate = folder / "certificate.pem"

    def run(self, *arguments):
        done = subprocess.run([PROGRAM, *arguments], env=self.environment, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def start(self):
        (self.folder / "rules.json").write_text(json.dumps(RULES))
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1",
             "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1",
             "-keyout", self.folder / "key.pem", "-out", self.certificate],
            check=True, capture_output=True)
        ready = self.folder / "ready.json"
        self.process = subprocess.Popen(
            [PROGRAM, "up", "--model", "demo", "--workers", "1", "--port", "0", "--ready-file", ready,
             "--filter", self.folder / "rules.json", "--audit-log", self.audit,
             "--tls-cert", self.certificate, "--tls-key", self.folder / "key.pem"],
            env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 120
        while not ready.exists():
            assert self.process.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        self.url = json.loads(ready.read_text())["url"]

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)

    def http(self):
        return httpx.Client(verify=ssl.create_default_context(cafile=str(self.certificate)), timeout=60)

    def anthropic(self, key):
        context = ssl.create_default_context(cafile=str(self.certificate))
        http = anthropic.DefaultHttpxClient(verify=context, timeout=60)
        return anthropic.Anthropic(base_url=self.url, api_key=key, max_retries=0, http_client=http)

    def openai(self, key):
        return openai.OpenAI(base_url=self.url + "/v1", api_key=key, max_retries=0, http_client=self.http())


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    cluster = Cluster(tmp_path_factory.mktemp("keys"))
    cluster.key = cluster.run("keys", "create", "alice")
    cluster.start()
    yield cluster
    cluster.stop()


def test_the_url_says_that_it_is_encrypted(cluster):
    assert cluster.url.startswith("https://")


def test_clients_need_a_good_key(cluster):
    assert cluster.openai(cluster.key).models.list().data[0].id == "demo"
    with pytest.raises(openai.AuthenticationError) as refused:
        cluster.openai("phx-wrong").models.list()
    assert refused.value.code == "invalid_api_key"
    assert cluster.http().get(cluster.url + "/healthz").status_code == 200
    assert cluster.http().get(cluster.url + "/status").status_code == 401


def test_anthropics_client_sends_its_key_in_its_own_way(cluster):
    parameters = dict(model="demo", max_tokens=8, messages=[{"role": "user", "content": "Hello!"}])
    assert cluster.anthropic(cluster.key).messages.create(**parameters).content
    with pytest.raises(anthropic.AuthenticationError):
        cluster.anthropic("phx-wrong").messages.create(**parameters)


def test_limits_are_told_and_kept(cluster):
    client = cluster.openai(cluster.run("keys", "create", "bob", "--requests-per-minute", "2", "--tokens-per-minute", "5000"))
    parameters = dict(model="demo", messages=[{"role": "user", "content": "Hello!"}], max_tokens=4)
    first = client.chat.completions.with_raw_response.create(**parameters)
    assert first.headers["x-ratelimit-limit-requests"] == "2"
    assert first.headers["x-ratelimit-remaining-requests"] == "1"
    assert 0 < int(first.headers["x-ratelimit-remaining-tokens"]) < 5000
    client.chat.completions.create(**parameters)
    with pytest.raises(openai.RateLimitError) as refused:
        client.chat.completions.create(**parameters)
    assert refused.value.code == "rate_limit_exceeded"
    assert 1 <= int(refused.value.response.headers["retry-after"]) <= 30
    cluster.run("keys", "revoke", "bob")
    with pytest.raises(openai.AuthenticationError):
        client.models.list()


def test_the_filter_refuses_prompts_and_ends_answers(cluster):
    client = cluster.openai(cluster.key)
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(model="demo", messages=[{"role": "user", "content": "A  DEATH ray, please"}])
    assert refused.value.code == "content_filter"
    parameters = dict(model="demo", messages=QUESTION, temperature=0, max_tokens=64)
    whole = client.chat.completions.create(**parameters).choices[0]
    assert whole.finish_reason == "content_filter"
    assert "par" not in whole.message.content.lower()
    choices = [chunk.choices[0] for chunk in client.chat.completions.create(**parameters, stream=True)]
    assert "".join(choice.delta.content or "" for choice in choices) == whole.message.content
    assert choices[-1].finish_reason == "content_filter"


def test_the_audit_log_says_what_was_done_and_holds_no_key(cluster):
    text = cluster.audit.read_text()
    assert cluster.key not in text
    assert "capital of France" not in text
    lines = [json.loads(line) for line in text.splitlines()]
    assert any(line["status"] == 401 for line in lines)
    filtered = [line for line in lines if line["filtered"]]
    assert {entry["rule"] for line in filtered for entry in line["filtered"]} == {"weapons", "capitals"}
    assert all(line["client"] == "alice" for line in filtered)
    assert cluster.audit.stat().st_mode & 0o777 == 0o600
