"""What a function speaks to: a Runtime API, and an SQS over TLS that acknowledges everything."""

import datetime
import hashlib
import json
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import botocore
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class Quiet(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def body(self):
        return self.rfile.read(int(self.headers.get("content-length", 0)))

    def answer(self, status, body, headers=()):
        head = [f"HTTP/1.1 {status} OK", *(f"{name}: {value}" for name, value in headers)]
        head.append(f"content-length: {len(body)}")
        # One write, as a real server's: two would measure the acknowledgement of the first.
        self.wfile.write("\r\n".join(head).encode() + b"\r\n\r\n" + body)


class Queue(Quiet):
    """Acknowledges every message and every record of the archive, as the JSON protocols of SQS and Data Firehose do."""

    latency = 0

    def do_GET(self):
        self.answer(404, b"")

    def do_POST(self):
        message = json.loads(self.body()).get("MessageBody", "").encode()
        reply = {"MessageId": "1", "MD5OfMessageBody": hashlib.md5(message).hexdigest()}
        if self.headers["x-amz-target"].startswith("Firehose_"):
            reply = {"RecordId": "1", "Encrypted": True}
        time.sleep(self.latency)
        self.answer(200, json.dumps(reply).encode(), [("content-type", "application/x-amz-json-1.0")])


def runtime(event, deliveries, at_first):
    """A Runtime API that returns one event N times, and records when it was requested and when the response came.

    It calls `at_first` once the first delivery is answered."""

    class Runtime(Quiet):
        polled, answered, statuses, done = [], [], set(), threading.Event()

        def do_GET(self):
            if len(self.answered) == 1:
                at_first()
            self.polled.append(time.perf_counter())
            if len(self.polled) > deliveries:
                self.done.set()
                time.sleep(30)
                return
            headers = {
                "content-type": "application/json",
                "lambda-runtime-aws-request-id": f"request-{len(self.polled)}",
                "lambda-runtime-deadline-ms": str(int(time.time() * 1000) + 30_000),
                "lambda-runtime-invoked-function-arn": "arn:aws:lambda:us-east-1:123456789012:function:x",
            }
            self.answer(200, event, headers.items())

        def do_POST(self):
            body = self.body()
            self.answered.append(time.perf_counter())
            self.statuses.add(json.loads(body).get("statusCode"))
            self.answer(202, b"")

    return Runtime


def serve(handler, context=None):
    """Starts a server, and returns it with its port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    # A function that is killed leaves a connection behind.
    server.handle_error = lambda *_: None
    if context:
        # The handshake belongs to the connection's own thread.
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, server.server_address[1]


def certificates(folder: Path):
    """A TLS context for 127.0.0.1; its CA alone; and that CA together with the roots that a Linux system has."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "bench")])
    now = datetime.datetime.now(datetime.timezone.utc)
    ca = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=7))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    own = ec.generate_private_key(ec.SECP256R1())
    leaf = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(name)
        .public_key(own.public_key())
        .serial_number(2)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=7))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    secret = own.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    chain, alone, bundle = folder / "server.pem", folder / "ca.pem", folder / "bundle.pem"
    chain.write_bytes(secret + leaf.public_bytes(pem))
    alone.write_bytes(ca.public_bytes(pem))
    roots = Path(botocore.__file__).parent / "cacert.pem"
    bundle.write_bytes(roots.read_bytes() + b"\n" + ca.public_bytes(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    return context, alone, bundle
