"""A gateway that says what a test wants: the page comes from a real one, answers and the status from the test."""

import http.server
import json
import threading
import time
import urllib.error
import urllib.request


def worker(name, first, end, state="ready", **more):
    """A worker as `GET /status` shows it."""
    return {
        "id": name, "address": "127.0.0.1:9000", "processID": 4242, "state": state,
        "layers": None if first is None else {"first": first, "end": end}, "threadCount": 2,
        "memoryLimitByteCount": 8 << 30, "memoryByteCount": 3 << 30, "loadedFraction": 1, "tokensPerSecond": 120.5,
        "busyFraction": 0.62, "bubbleFraction": 0.11, **more,
    }


def status(workers, state="ready", plan=1, **more):
    """A cluster as `GET /status` shows it."""
    return {
        "state": state, "epoch": {"term": 1, "plan": plan}, "workers": workers,
        "model": {
            "id": "toy", "name": "Toy", "fingerprint": "", "systemFingerprint": "fp", "contextLength": 4096,
            "vocabularySize": 256, "layerCount": 8, "parameterCount": 1000000, "endOfSequenceTokens": [0],
            "tokenizerHash": "", "createdSeconds": 0,
        },
        "runningRequestCount": 0, "waitingRequestCount": 0, "completedRequestCount": 3, "generatedTokenCount": 12345,
        "uptimeSeconds": 75, **more,
    }


class Toy(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, gateway, port=0):
        super().__init__(("127.0.0.1", port), Handler)
        self.gateway = gateway
        self.status = status([worker("worker-0", 0, 4), worker("worker-1", 4, 8)])
        # The pieces of the next answers, and the seconds before each.
        self.pieces = ["Hello ", "there."]
        self.pause = 0.0
        # Instead of an answer: an HTTP status and a message.
        self.refusal = None
        self.requests = []
        self.abandoned = 0
        self.url = f"http://127.0.0.1:{self.server_port}/"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def page(self, path, headers):
        request = urllib.request.Request(self.gateway + path, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, list(answer.headers.items()), answer.read()
        except urllib.error.HTTPError as error:
            return error.code, list(error.headers.items()), error.read()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        if self.path == "/status":
            return self.reply(200, self.server.status)
        wanted = {key: value for key, value in self.headers.items() if key.lower() in ("accept", "if-none-match")}
        code, headers, body = self.server.page(self.path, wanted)
        self.send_response(code)
        for key, value in headers:
            if key.lower() not in ("connection", "transfer-encoding", "content-length", "date", "server"):
                self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        toy = self.server
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        toy.requests.append({"body": body, "key": self.headers.get("Authorization")})
        if toy.refusal:
            code, message = toy.refusal
            return self.reply(code, {"error": {"message": message, "type": "refused", "param": None, "code": None}})
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        try:
            self.event({"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]})
            for piece in toy.pieces:
                time.sleep(toy.pause)
                self.event({"choices": [{"index": 0, "delta": {"content": piece}, "finish_reason": None}]})
            self.event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
            self.event({"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": len(toy.pieces)}})
            self.wfile.write(b"data: [DONE]\n\n")
        except OSError:
            toy.abandoned += 1
        self.close_connection = True

    def event(self, value):
        self.wfile.write(b"data: " + json.dumps(value).encode() + b"\n\n")
        self.wfile.flush()

    def reply(self, code, value):
        body = json.dumps(value).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
