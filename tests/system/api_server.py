"""A server in the place of a platform's API, with faults on request."""

import json
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


class Fault:
    """What happens to one request instead of an answer."""

    def __init__(self, status=200, headers=None, body=b"", delay=0, close=False, also=False):
        self.status = status
        self.headers = headers or {}
        self.body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.delay = delay
        # The connection ends without an answer.
        self.close = close
        # The request takes effect nevertheless.
        self.also = also


class Api:
    """An HTTP server on the loopback interface. `faults` are used up one by one, by requests whose path they match."""

    def __init__(self):
        api = self
        counting = threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # One packet for head and body: in two, the second would wait for the acknowledgement of the first.
            wbufsize = -1

            def _handle(self):
                path = urlsplit(self.path).path
                with counting:
                    api.under_way[path] += 1
                try:
                    self._answer()
                finally:
                    with counting:
                        api.under_way[path] -= 1

            def _answer(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                url = urlsplit(self.path)
                query = parse_qs(url.query, keep_blank_values=True)
                is_cut, after = api.steps.before(f"{self.command} {url.path}") if api.steps else (False, lambda: False)
                if is_cut:
                    self.close_connection = True
                    return
                with api.lock:
                    api.requests.append((time.time(), self.command, url.path, query))
                    at = next((n for n, (part, _) in enumerate(api.faults) if part in f"{self.command} {url.path}"), None)
                    fault = api.faults.pop(at)[1] if at is not None else None
                    if fault is None or fault.also:
                        status, headers, answer = api.answer(self.command, url.path, query, self.headers, body)
                if fault:
                    time.sleep(fault.delay)
                    if fault.close:
                        self.close_connection = True
                        return
                    if not fault.also:
                        status, headers, answer = fault.status, fault.headers, fault.body
                if after():
                    self.close_connection = True
                    return
                if not isinstance(answer, bytes):
                    answer = json.dumps(answer).encode()
                self.send_response(status)
                for name, value in ({"Content-Type": "application/json; charset=utf-8"} | headers).items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            do_GET = do_POST = _handle

            def log_message(self, *_):
                pass

            def handle(self):
                try:
                    super().handle()
                except OSError:
                    # The client was killed, or does not wait any longer.
                    pass

        self.lock = threading.RLock()
        # Counts the requests, and may end the process that made them.
        self.steps = None
        self.requests = []
        # The requests that have arrived and are not answered yet, by path.
        self.under_way = Counter()
        self.faults = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def fail(self, part, *faults):
        """The next requests whose method and path contain `part` meet these faults."""
        with self.lock:
            self.faults += [(part, fault) for fault in faults]

    def count(self, part):
        with self.lock:
            return sum(part in f"{method} {path}" for _, method, path, _ in self.requests)

    def stop(self):
        self._server.shutdown()
        self._server.server_close()
