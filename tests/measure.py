"""Measures the release binaries: size, start, first and warm delivery, memory. Run by `make measure`.

A start is the time from the process's birth to its first poll of the Runtime API, with the connection to the queue
opened in between; the first delivery is the answer to the first event after that. Both ends are this process, over
loopback HTTP, so the numbers compare binaries with each other; they are not those of Lambda.
"""

import argparse
import hashlib
import json
import os
import pathlib
import statistics
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/system"))

from platforms import PLATFORMS
from samples import demo_credentials


class Quiet(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def body(self):
        return self.rfile.read(int(self.headers.get("content-length", 0)))

    def answer(self, status, body, headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Queue(Quiet):
    """Acknowledges every message and every record of the archive, as the JSON protocols of SQS and Data Firehose do."""

    latency = 0

    def do_POST(self):
        message = json.loads(self.body()).get("MessageBody", "").encode()
        reply = {"MessageId": "1", "MD5OfMessageBody": hashlib.md5(message).hexdigest()}
        if self.headers["x-amz-target"].startswith("Firehose_"):
            reply = {"RecordId": "1", "Encrypted": True}
        time.sleep(self.latency)
        self.answer(200, json.dumps(reply).encode(), [("content-type", "application/x-amz-json-1.0")])


def runtime(event, deliveries):
    """A Runtime API that returns one event N times, and records when it was requested and when the response came."""

    class Runtime(Quiet):
        polled, answered, statuses, done = [], [], set(), threading.Event()

        def do_GET(self):
            self.polled.append(time.perf_counter())
            if len(self.polled) > deliveries:
                self.done.set()
                time.sleep(30)
                return
            deadline = str(int(time.time() * 1000) + 30_000)
            self.answer(
                200,
                event,
                [
                    ("content-type", "application/json"),
                    ("lambda-runtime-aws-request-id", f"request-{len(self.polled)}"),
                    ("lambda-runtime-deadline-ms", deadline),
                    ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:us-east-1:123456789012:function:x"),
                ],
            )

        def do_POST(self):
            body = self.body()
            self.answered.append(time.perf_counter())
            self.statuses.add(json.loads(body).get("statusCode"))
            self.answer(202, b"")

    return Runtime


def serve(handler):
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    # A binary that is killed leaves a connection behind.
    server.handle_error = lambda *_: None
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, server.server_address[1]


def memory(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return float("nan")


def sample_of(provider):
    """The sample event that the quick start sends, or the first one that is queued."""
    platform, folder = PLATFORMS[provider], ROOT / "events" / provider
    named = folder / f"{platform.SAMPLE}.{platform.STATUS}.json"
    if named.exists():
        return named
    outcomes = sorted((ROOT / "tests/expected" / provider).iterdir())
    queued = (path.stem for path in outcomes if json.loads(path.read_text())["outcome"] == "queued")
    return folder / f"{next(queued)}.{platform.STATUS}.json"


def once(binary, provider, queue_port, deliveries, archive):
    handler = runtime(sample_of(provider).read_bytes(), deliveries)
    server, port = serve(handler)
    environment = {
        "PATH": os.environ["PATH"],
        "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{port}",
        "AWS_LAMBDA_FUNCTION_NAME": provider,
        "AWS_LAMBDA_FUNCTION_VERSION": "1",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
        "AWS_LAMBDA_LOG_LEVEL": "error",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{queue_port}",
        "QUEUE_URL": f"http://127.0.0.1:{queue_port}/1/q",
        "CREDENTIALS": demo_credentials(provider),
        "ARCHIVE_STREAM": "archive" if archive else "",
    }
    born = time.perf_counter()
    process = subprocess.Popen([binary], env=environment, stdout=subprocess.DEVNULL)
    try:
        if not handler.done.wait(30):
            raise SystemExit(f"measure: {binary} did not answer {deliveries} deliveries within 30 s")
        if handler.statuses != {PLATFORMS[provider].STATUS}:
            raise SystemExit(f"measure: {binary} answered with {handler.statuses}, not {PLATFORMS[provider].STATUS}")
        rss = memory(process.pid)
    finally:
        process.kill()
        process.wait()
        server.shutdown()
    times = [(answered - polled) * 1000 for polled, answered in zip(handler.polled, handler.answered)]
    warm = sorted(times[1:])
    p99 = warm[len(warm) * 99 // 100]
    return (handler.polled[0] - born) * 1000, times[0], statistics.median(warm), p99, rss


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binaries", type=pathlib.Path, default=ROOT / "target/lambda", help="folder of <function>/bootstrap, as cargo-lambda builds, or of <function>")
    parser.add_argument("--runs", type=int, default=15, help="starts of each binary; medians are printed")
    parser.add_argument("--deliveries", type=int, default=200, help="deliveries of each start")
    parser.add_argument("--archive", action="store_true", help="archive each delivery")
    parser.add_argument("--latency", type=float, default=0, metavar="MS", help="how long queue and archive take")
    parser.add_argument("providers", nargs="*", default=list(PLATFORMS), help="which functions")
    arguments = parser.parse_args()
    Queue.latency = arguments.latency / 1000
    _, queue_port = serve(Queue)
    print("| function | KB | start ms | first ms | warm ms | p99 ms | RSS MB |\n|---|---|---|---|---|---|---|")
    for provider in arguments.providers:
        folder = arguments.binaries / provider
        binary = folder / "bootstrap" if folder.is_dir() else folder
        what = binary, provider, queue_port, arguments.deliveries, arguments.archive
        runs = [once(*what) for _ in range(arguments.runs)]
        start, first, warm, p99, rss = (statistics.median(column) for column in zip(*runs))
        size = binary.stat().st_size / 1024
        print(f"| {provider} | {size:.0f} | {start:.1f} | {first:.2f} | {warm:.2f} | {p99:.2f} | {rss:.1f} |", flush=True)


if __name__ == "__main__":
    main()
