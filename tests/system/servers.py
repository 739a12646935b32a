"""The processes of a test run: an SQS-protocol server, faults before it, a Lambda Runtime API, functions under it."""

import atexit
import json
import os
import random
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import boto3
import requests
from botocore.config import Config
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from platforms import PLATFORMS
from platforms.sns import make_certificate

ROOT = Path(__file__).resolve().parents[2]
TARGET = ROOT / os.environ.get("CARGO_TARGET_DIR", "target")
VENV_BIN = Path(sys.executable).parent
LOCAL_AWS = Path(__file__).with_name("local_aws.py")
PROVIDERS = list(PLATFORMS)

# The functions that receive no webhooks.
WORKERS = sorted(path.parent.name for path in ROOT.glob("workers/*/Cargo.toml"))

# The arguments of `make system` and `make browser`: with others, cargo would compile much again with other features.
BUILD = ["cargo", "build", "--locked", "--bin", "letterbox", "--bin", "verdicts", "--bin", "letterbox-consumer"]
BUILD += [argument for name in [*PROVIDERS, *WORKERS] for argument in ("--bin", name)]

REGION = "us-east-1"
# Longer than any deadline, so that a test fails in its own check, not in the client.
CLIENT_TIMEOUT = 20
START_TIMEOUT = 60

# Created before the extended client can replace boto3's session.
SESSION = boto3.session.Session()

# The property of a test whose text is shown after the run.
SUMMARY = "summary"

_alive = set()


def until(condition, timeout, what, pause=0.02):
    """Polls until `condition` returns a true value, and returns it. Times are in seconds."""
    end = time.monotonic() + timeout
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < end, f"waited {timeout} s in vain for {what}"
        time.sleep(pause)


def _ports():
    """Ports below those that the system gives to sockets that ask for any; each worker of pytest has its own."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    yield from random.sample(range(16_000 + worker % 4 * 4_000, 20_000 + worker % 4 * 4_000), 4_000)


_free_ports = filter(lambda port: not listens(port), _ports())


def free_port():
    """A port that nothing listens on, nor will by chance."""
    return next(_free_ports)


def listens(port):
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Process:
    """A child process in its own process group, which always ends with the run; its output goes to a file."""

    def __init__(self, arguments, log, environment, directory=ROOT):
        self.log = Path(log)
        with self.log.open("ab") as output:
            self._child = subprocess.Popen(
                [str(argument) for argument in arguments],
                cwd=directory,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.pid = self._child.pid
        _alive.add(self)

    @property
    def ended(self):
        return self._child.poll() is not None

    def expect_alive(self):
        assert not self.ended, f"{self.log.stem} ended by itself:\n{self.text()}"

    def text(self, since=0):
        return self.log.read_bytes()[since:].decode(errors="replace")

    def send(self, number):
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:
            pass

    def stop(self):
        for number in [signal.SIGTERM, signal.SIGKILL]:
            self.send(number)
            try:
                self._child.wait(3)
                break
            except subprocess.TimeoutExpired:
                continue
        # The group continues after its leader if a grandchild ignores the first signal.
        self.send(signal.SIGKILL)
        _alive.discard(self)


@atexit.register
def stop_all():
    for process in list(_alive):
        process.stop()


def client(session, service, endpoint):
    return session.client(
        service,
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(connect_timeout=5, read_timeout=10, retries={"max_attempts": 3}),
    )


class QueueServer:
    """A real SQS-protocol server (ministack), and AWS's own client of it."""

    def __init__(self, directory, port=None):
        self.port = port or free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        environment = os.environ | {
            "GATEWAY_PORT": str(self.port),
            "BIND_HOST": "127.0.0.1",
            "MINISTACK_HOST": "127.0.0.1",
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "HOME": str(directory),
        }
        log = directory / f"queue-server-{self.port}.log"
        self._process = Process([sys.executable, LOCAL_AWS], log, environment)
        until(self._listens, START_TIMEOUT, "the queue server")
        self.client = self.aws("sqs")

    def aws(self, service):
        """A client of one of its services: it has Secrets Manager and S3, too."""
        return client(SESSION, service, self.endpoint)

    def _listens(self):
        self._process.expect_alive()
        return listens(self.port)

    def create(self, name):
        fifo = {"FifoQueue": "true"} if name.endswith(".fifo") else {}
        url = self.client.create_queue(QueueName=name, Attributes=fifo)["QueueUrl"]
        return Queue(self.client, url)

    def stop(self):
        self._process.stop()


class Queue:
    """One queue, as a consumer sees it."""

    def __init__(self, client, url):
        self._client = client
        self.url = url

    def drain(self):
        """Receives, deletes and returns every message. Acknowledged ones are there already, so it does not wait."""
        taken = []
        while True:
            got = self._client.receive_message(
                QueueUrl=self.url,
                MaxNumberOfMessages=10,
                WaitTimeSeconds=0,
                AttributeNames=["All"],
                MessageAttributeNames=["All"],
            ).get("Messages", [])
            if not got:
                return taken
            entries = [
                {"Id": str(position), "ReceiptHandle": message["ReceiptHandle"]}
                for position, message in enumerate(got)
            ]
            deleted = self._client.delete_message_batch(QueueUrl=self.url, Entries=entries)
            assert not deleted.get("Failed"), deleted["Failed"]
            taken += got

    def one(self):
        """Receives, deletes and returns the only message."""
        messages = self.drain()
        assert len(messages) == 1, f"expected one message, got {len(messages)}"
        return messages[0]


class SilentServer:
    """Accepts every connection and never responds."""

    def __init__(self):
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._held = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                self._held.append(self._socket.accept()[0])
            except OSError:
                return

    @property
    def connections(self):
        """How many connections there have been."""
        return len(self._held)

    def stop(self):
        self._socket.close()
        for connection in self._held:
            connection.close()


class CaptiveServer:
    """Answers 200 to every request, without a body, as a captive proxy may."""

    def __init__(self):
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self):
        self._server.shutdown()
        self._server.server_close()


class HttpsServer:
    """An HTTPS server under any host name, behind a proxy of its own: nothing leaves this machine.

    `environment` has the standard variables of an HTTP client that lead to it: the proxy, and the CA that it is to trust.
    `answers` maps a URL without its query to a function of the connection that responds. Another URL is 404.
    """

    def __init__(self, directory, host, other_host):
        """Serves `host`; under `other_host`, its TLS certificate is still that of `host`."""
        key = rsa.generate_private_key(65537, 2048)
        ca = x509.load_pem_x509_certificate(make_certificate(key).encode())
        leaf = rsa.generate_private_key(65537, 2048)
        files = {name: directory / f"https-{name}.pem" for name in ["ca", "leaf", "key"]}
        form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        files["ca"].write_bytes(ca.public_bytes(serialization.Encoding.PEM))
        files["leaf"].write_text(make_certificate(leaf, (ca, key), [host]))
        files["key"].write_bytes(leaf.private_bytes(serialization.Encoding.PEM, *form))
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(files["leaf"], files["key"])
        self._hosts = {f"{host}:443", f"{other_host}:443"}
        self._socket = socket.create_server(("127.0.0.1", 0))
        proxy = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.environment = {"HTTPS_PROXY": proxy, "SSL_CERT_FILE": str(files["ca"])}
        self.answers = {}
        # Every host that a connection was asked for, and every URL that was requested.
        self.connects = []
        self.requests = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection = self._socket.accept()[0]
            except OSError:
                return
            threading.Thread(target=self._serve, args=[connection], daemon=True).start()

    def _serve(self, connection):
        try:
            with connection:
                method, target, _ = self._head(connection)[0].split(" ")
                self.connects.append(target)
                if method != "CONNECT" or target not in self._hosts:
                    connection.sendall(b"HTTP/1.1 502 Bad Gateway\r\n\r\n")
                    return
                connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                with self._context.wrap_socket(connection, server_side=True) as secured:
                    method, path, _ = self._head(secured)[0].split(" ")
                    url = f"https://{target.removesuffix(':443')}{path}"
                    self.requests.append(f"{method} {url}")
                    self.answers.get(url.partition("?")[0], self.not_found)(secured)
        except (OSError, ValueError):
            # The client closed the connection, or trusted it not.
            return

    @staticmethod
    def _head(connection):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            more = connection.recv(1)
            if not more:
                raise OSError("closed")
            head += more
        return head.decode().split("\r\n")

    @staticmethod
    def respond(body, status="200 OK", headers=""):
        """A function that answers with a whole response."""
        body = body.encode()
        head = f"HTTP/1.1 {status}\r\n{headers}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        return lambda connection: connection.sendall(head.encode() + body)

    @staticmethod
    def not_found(connection):
        HttpsServer.respond("", "404 Not Found")(connection)

    @staticmethod
    def endless(connection):
        """A response without an end."""
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            connection.sendall(b"1000\r\n" + b" " * 0x1000 + b"\r\n")

    @staticmethod
    def silent(connection):
        """No response at all."""
        time.sleep(60)

    def stop(self):
        self._socket.close()


class FaultProxy:
    """A proxy before a queue server; applies the first matching rule to each request (microburst)."""

    def __init__(self, directory, upstream):
        port = free_port()
        self.endpoint = f"http://127.0.0.1:{port}"
        command = [sys.executable, "-m", "microburst", "--upstream", upstream, "--port", port]
        self._process = Process(command, directory / f"fault-proxy-{port}.log", base_environment())
        self._session = requests.Session()
        self._session.trust_env = False

        def listening():
            self._process.expect_alive()
            return listens(port)

        until(listening, START_TIMEOUT, "the fault proxy")

    def _rules(self, method, rules=None):
        response = self._session.request(
            method, f"{self.endpoint}/_microburst/rules", json=rules, timeout=CLIENT_TIMEOUT
        )
        response.raise_for_status()
        return response.json()

    def set_rules(self, rules):
        """Replaces the rules."""
        self._rules("POST", rules)

    def fired(self):
        """How often each rule has fired, in their order. The proxy's own log drops the oldest."""
        return [rule["fired_count"] for rule in self._rules("GET")]

    def stop(self):
        self._session.close()
        self._process.stop()


class Function(Process):
    """One function's binary, and the lines it logged."""

    def __init__(self, provider, log, environment):
        super().__init__([TARGET / "debug" / provider], log, environment)

    def lines(self, since=0):
        """Every complete line of the log; each must be JSON."""
        return [json.loads(line) for line in self.text(since).splitlines(True) if line.endswith("\n")]

    def mark(self):
        return self.log.stat().st_size

    def delivery_line(self, since):
        """The one line of the one delivery since `since` (a `mark`)."""

        def line():
            lines = [line for line in self.lines(since) if "outcome" in line]
            assert len(lines) <= 1, lines
            return lines

        [line] = until(line, 5, "the log line of a delivery")
        return line


def base_environment():
    """The environment without the developer's own AWS configuration."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "LAMBDA_"))}
    for name in ["QUEUE_URL", "CREDENTIALS", "CREDENTIALS_SECRET", "CARDS", "DEADLINE_MS", "RUST_LOG"]:
        kept.pop(name, None)
    return kept | {
        "PATH": f"{VENV_BIN}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }


def lambda_environment(provider, runtime_api):
    return {
        "AWS_LAMBDA_RUNTIME_API": runtime_api,
        "AWS_LAMBDA_FUNCTION_NAME": provider,
        "AWS_LAMBDA_FUNCTION_VERSION": "1",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
    }


class Gateway:
    """`cargo lambda watch`: routes HTTP to functions as the deployed gateway does."""

    def __init__(self, directory, name, *options, environment=None):
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        command = ["cargo", "lambda", "watch", "--invoke-address", "127.0.0.1", "--invoke-port", self.port]
        # It would respond to OPTIONS itself, which the deployed gateway does not.
        command += ["--disable-cors"]
        self.process = Process(
            [*command, *options], directory / f"{name}.log", environment or base_environment()
        )
        self.session = requests.Session()
        self.session.trust_env = False
        until(self._listens, START_TIMEOUT, "the Runtime API")

    def _listens(self):
        self.process.expect_alive()
        return listens(self.port)

    def send(self, path, request, method="POST", timeout=CLIENT_TIMEOUT):
        url = f"http://{self.address}{path}"
        prepared = self.session.prepare_request(
            requests.Request(method, url, headers=request.headers, data=request.body)
        )
        # Unchanged: `requests` would normalise the query string.
        prepared.url = url + (f"?{request.query}" if request.query else "")
        return self.session.send(prepared, timeout=timeout)

    def invoke(self, function, event_file):
        """The output of `cargo lambda invoke`."""
        command = ["cargo", "lambda", "invoke", function, "--data-file", event_file]
        command += ["--invoke-address", "127.0.0.1", "--invoke-port", str(self.port)]
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=base_environment(),
            capture_output=True,
            text=True,
            timeout=CLIENT_TIMEOUT,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def invoke_with(self, function, event):
        """The function's result for any event, and whether it is a response or an error."""
        url = f"http://{self.address}/2015-03-31/functions/{function}/invocations"
        body = event if isinstance(event, bytes) else json.dumps(event).encode()
        response = self.session.post(url, data=body, timeout=CLIENT_TIMEOUT)
        return response.json()

    def stop(self):
        self.session.close()
        self.process.stop()


class Deployment:
    """The functions, each with its own environment, behind one gateway.

    `cargo lambda watch` would start them itself, but gives all of them the same environment, and each needs its own
    credentials: so it serves only the Runtime API here, and the binaries are started beside it.
    """

    def __init__(self, directory, name, environments):
        self._gateway = Gateway(directory, f"{name}-gateway", "--only-lambda-apis")
        self.invoke = self._gateway.invoke
        self.invoke_with = self._gateway.invoke_with
        self.functions = {}
        for provider, environment in environments.items():
            runtime = lambda_environment(provider, f"http://{self._gateway.address}/.rt/{provider}")
            self.functions[provider] = Function(
                provider, directory / f"{name}-{provider}.log", base_environment() | runtime | environment
            )
        for provider in environments:
            until(lambda: self._answers(provider), START_TIMEOUT, f"the function {provider}")

    def _answers(self, provider):
        self.functions[provider].expect_alive()
        try:
            # Requests other than GET and POST need no key and no queue.
            url = f"http://{self._gateway.address}/{provider}"
            return self._gateway.session.put(url, timeout=2).status_code == 405
        except requests.Timeout:
            return False

    def send(self, provider, request, source=None, method="POST", timeout=CLIENT_TIMEOUT):
        path = f"/{provider}" if source is None else f"/{provider}/{source}"
        return self._gateway.send(path, request, method, timeout)

    def marks(self):
        """The present length of each function's log."""
        return {provider: function.mark() for provider, function in self.functions.items()}

    def expect_sound(self, since=None):
        """Asserts that no function ended or panicked, and returns the providers that logged anything since `marks`."""
        since = since or dict.fromkeys(self.functions, 0)
        active = []
        for provider, function in self.functions.items():
            function.expect_alive()
            if function.mark() > since[provider]:
                active.append(provider)
                assert "panicked" not in function.text(since[provider])
        return active

    def expect_discreet(self, secrets):
        """Asserts that every log line is JSON, and that none contains a secret."""
        secrets = list(secrets)
        for function in self.functions.values():
            assert all("level" in line for line in function.lines())
            assert not any(secret in function.text() for secret in secrets), (
                f"a secret in {function.log.name}"
            )

    def stop(self):
        for function in self.functions.values():
            function.stop()
        self._gateway.stop()
