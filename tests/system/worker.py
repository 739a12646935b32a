"""A worker's binary under a Runtime API of its own, invoked one by one, and killed where a test wants it."""

import json
import os
import queue
import re
import signal
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import requests

from servers import TARGET, Process, base_environment, lambda_environment


class Worker:
    """One execution environment of a worker."""

    def __init__(self, name, log, environment, seconds=300):
        self._seconds = seconds
        self._events, self._results = queue.Queue(), queue.Queue()
        worker = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                assert self.path == "/2018-06-01/runtime/invocation/next"
                event = worker._events.get()
                body = json.dumps(event).encode()
                self.send_response(200)
                deadline = int((time.time() + worker._seconds) * 1000)
                for header, value in [
                    ("Lambda-Runtime-Aws-Request-Id", str(uuid.uuid4())),
                    ("Lambda-Runtime-Deadline-Ms", str(deadline)),
                    ("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:000000000000:function:worker"),
                    ("Content-Type", "application/json"),
                    ("Content-Length", str(len(body))),
                ]:
                    self.send_header(header, value)
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                worker._results.put((self.path.endswith("/response"), json.loads(body or b"null")))
                self.send_response(202)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

            def handle(self):
                try:
                    super().handle()
                except OSError:
                    pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        runtime = lambda_environment(name, f"127.0.0.1:{self._server.server_port}")
        self.process = Process([TARGET / "debug" / name], log, base_environment() | runtime | environment)
        self._mark = self.process.log.stat().st_size if self.process.log.exists() else 0

    def start(self, event=None):
        """Begins an invocation, by a schedule unless another event is given."""
        self._events.put(event or {"source": "aws.events", "detail-type": "Scheduled Event"})

    def result(self, timeout=120):
        """Whether the invocation succeeded, and its result or error; None if the process ended before."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            try:
                return self._results.get(timeout=0.05)
            except queue.Empty:
                if self.process.ended:
                    return None
        raise AssertionError(f"no result within {timeout} s:\n{self.process.text()}")

    def invoke(self, timeout=120, event=None):
        self.start(event)
        return self.result(timeout)

    def lines(self):
        """The lines that it logged since it started."""
        return [json.loads(line) for line in self.process.text(self._mark).splitlines(True) if line.endswith("\n")]

    def last_run(self):
        """The line with the metrics of the last run."""
        return [line for line in self.lines() if line["message"] == "run"][-1]

    def peak(self):
        """The most memory that the process has had, in MB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024

    def kill(self):
        try:
            os.kill(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def stop(self):
        self.process.stop()
        self._server.shutdown()
        self._server.server_close()


class Steps:
    """Counts the requests of a process to everything, and kills it at one of them: before it has an effect, or after."""

    def __init__(self):
        self._lock = threading.Lock()
        self.arm(None)

    @property
    def count(self):
        """The requests since it was armed."""
        return self._count

    def arm(self, worker, at=0, side="before"):
        with self._lock:
            self._worker, self._at, self._side, self._count = worker, at, side, 0
            # What the fatal request was.
            self.killed_at = None

    def before(self, what):
        """Returns whether the request must have no effect, and a function that is called after the effect."""
        with self._lock:
            self._count += 1
            is_it = self._worker is not None and self._count == self._at
            worker, side = self._worker, self._side
            if is_it:
                self.killed_at = (what, side)
        if is_it and side == "before":
            worker.kill()
            return True, lambda: False

        def after():
            if is_it:
                worker.kill()
            return is_it

        return False, after


class AwsProxy:
    """A proxy before a local AWS that counts steps."""

    def __init__(self, upstream, steps):
        session = requests.Session()
        session.trust_env = False

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                what = self.headers.get("X-Amz-Target", "").split(".")[-1]
                if what == "PutItem":
                    what += f" {json.loads(body)['Item']['key']['S'].partition('#')[0]}"
                is_cut, after = steps.before(what)
                if is_cut:
                    self.close_connection = True
                    return
                headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
                answer = session.post(upstream + self.path, data=body, headers=headers, timeout=30)
                if after():
                    self.close_connection = True
                    return
                try:
                    self.send_response(answer.status_code)
                    for name in ["Content-Type", "x-amzn-RequestId", "x-amz-crc32"]:
                        if name in answer.headers:
                            self.send_header(name, answer.headers[name])
                    self.send_header("Content-Length", str(len(answer.content)))
                    self.end_headers()
                    self.wfile.write(answer.content)
                except OSError:
                    self.close_connection = True

            def log_message(self, *_):
                pass

            def handle(self):
                try:
                    super().handle()
                except OSError:
                    pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self):
        self._server.shutdown()
        self._server.server_close()
