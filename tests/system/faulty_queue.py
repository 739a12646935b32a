"""A server in the place of SQS that fails by request: a message says which fault it meets.

`FaultProxy` (microburst) breaks what a real queue answers. This one answers what no queue would: garbage, answers without an
end, answers to other requests. What it accepts goes to a real queue server, or is only counted, where a test sends more
messages than the real one can take.
"""

import asyncio
import calendar
import gzip
import hashlib
import json
import re
import socket
import struct
import threading
import time
from collections import Counter
from email.utils import formatdate

import urllib3

from connections import Connections
from servers import CLIENT_TIMEOUT

# A message names its fault so, with the number of the delivery: `"17: page, first attempt"`.
NAMED = re.compile(r'"(\d+): ([^",\\]+)(?:, (first|every) attempt)?\\*"')
ATTEMPTS = ["first", "every"]

# The errors for a signature that is too old or too new: by SQS's list of common errors, and as others report it.
EXPIRED = ["RequestExpired", "InvalidSignatureException"]

# In seconds: the answer of a queue that is slow but not too slow.
LATENCY = 0.06
# Between two bytes of an answer that takes too long.
DRIP = 0.02

STORED = set()
FAULTS = {}


def fault(name, stores=False):
    """Registers a fault: a coroutine of an `Exchange`. After it, the connection is closed unless it returns True.

    `stores` says that the queue has the message nevertheless.
    """

    def register(function):
        FAULTS[name] = function
        if stores:
            STORED.add(name)
        return function

    return register


class Exchange:
    """One request to send a message, and the connection on which it came."""

    def __init__(self, queue, reader, writer, headers, body):
        self.queue, self._reader, self.writer = queue, reader, writer
        self.headers, self.body = headers, body
        self.message = json.loads(body)["MessageBody"]

    @property
    def confirmation(self):
        """The members of SQS's answer. Only the queue may confirm; here it is a lie unless the message is stored."""
        digest = hashlib.md5(self.message.encode()).hexdigest()
        return {"MessageId": "00000000-0000-4000-8000-000000000000", "MD5OfMessageBody": digest}

    async def store(self):
        """Hands the message to the queue; returns the status and the body of its answer."""
        return await self.queue.store(self)

    def write(self, body=b"", status="200 OK", headers="", length=None):
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        now = formatdate(time.clock_gettime(time.CLOCK_REALTIME), usegmt=True)
        head = f"HTTP/1.1 {status}\r\nContent-Type: application/x-amz-json-1.0\r\nDate: {now}\r\n{headers}"
        head += f"Content-Length: {len(body) if length is None else length}\r\n\r\n"
        self.writer.write(head.encode() + body)

    async def answer(self):
        """Stores the message, and answers as the queue does."""
        status, body = await self.store()
        self.write(body, f"{status} -")
        return True

    def error(self, code, status):
        self.write({"__type": f"com.amazonaws.sqs#{code}", "message": "asked for"}, status)
        return True

    async def repeat(self, first, part, pause=0.0):
        """Sends something without an end, until the client closes the connection."""
        self.writer.write(first)
        while not self.writer.is_closing():
            self.writer.write(part)
            await self.writer.drain()
            await asyncio.sleep(pause)

    async def silence(self):
        """Answers nothing until the client closes the connection, whatever else it sends."""
        while await self._reader.read(0x10000):
            pass

    def reset(self):
        """Closes the connection by a reset."""
        connection = self.writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


# --- what a queue may do ------------------------------------------------------------------------------------------


@fault("none", stores=True)
async def _(it):
    return await it.answer()


@fault("latency", stores=True)
async def _(it):
    await asyncio.sleep(LATENCY / 2)
    status, body = await it.store()
    await asyncio.sleep(LATENCY / 2)
    it.write(body, f"{status} -")
    return True


@fault("status 500")
async def _(it):
    return it.error("InternalFailure", "500 Internal Server Error")


@fault("status 503")
async def _(it):
    return it.error("ServiceUnavailable", "503 Service Unavailable")


@fault("throttled")
async def _(it):
    return it.error("ThrottlingException", "400 Bad Request")


@fault("denied")
async def _(it):
    return it.error("AccessDeniedException", "403 Forbidden")


@fault("closed")
async def _(it):
    pass


@fault("reset")
async def _(it):
    it.reset()


@fault("hang")
async def _(it):
    await it.silence()


@fault("late", stores=True)
async def _(it):
    """The message is stored after the attempt has timed out."""
    await asyncio.sleep(it.queue.late)
    return await it.answer()


@fault("lost answer", stores=True)
async def _(it):
    await it.store()
    it.reset()


# --- what no queue answers ----------------------------------------------------------------------------------------

PAGE = b"<!doctype html><title>Sign in</title><p>Please sign in."
HTML = "Content-Type: text/html\r\n"
SMALL = {
    "page": lambda it: it.write(PAGE, headers=HTML),
    "broken JSON": lambda it: it.write(json.dumps(it.confirmation).encode()[:-9]),
    "two JSON values": lambda it: it.write(json.dumps(it.confirmation).encode() * 2),
    "no JSON": lambda it: it.write(bytes(range(256))),
    "null": lambda it: it.write(None),
    "list": lambda it: it.write([it.confirmation]),
    "empty body": lambda it: it.write(),
    "empty object": lambda it: it.write({}),
    "no MessageId": lambda it: it.write(it.confirmation | {"MessageId": None}),
    "no MD5": lambda it: it.write(it.confirmation | {"MD5OfMessageBody": None}),
    "another MD5": lambda it: it.write(it.confirmation | {"MD5OfMessageBody": hashlib.md5(b"").hexdigest()}),
    "numbers": lambda it: it.write({"MessageId": 1, "MD5OfMessageBody": 2}),
    "compressed": lambda it: it.write(
        gzip.compress(json.dumps(it.confirmation).encode()), headers="Content-Encoding: gzip\r\n"
    ),
    "status 204": lambda it: it.writer.write(b"HTTP/1.1 204 No Content\r\n\r\n"),
    "status 400": lambda it: it.write(PAGE, "400 Bad Request", HTML),
    "status 502": lambda it: it.write(PAGE, "502 Bad Gateway", HTML),
    "redirect": lambda it: it.write(
        status="307 Temporary Redirect", headers=f"Location: {it.queue.endpoint}/elsewhere\r\n"
    ),
}
for _name, _answer in SMALL.items():

    @fault(_name)
    async def _(it, answer=_answer):
        answer(it)
        return True


@fault("no HTTP")
async def _(it):
    it.writer.write(b"SSH-2.0-OpenSSH_9.6\r\n")


@fault("cut")
async def _(it):
    """All of a confirmation, and the end of the connection before the announced end of the answer."""
    body = json.dumps(it.confirmation).encode()
    it.write(body, length=len(body) + 10)


@fault("huge length")
async def _(it):
    body = json.dumps(it.confirmation).encode()
    it.write(body, length=10**15)
    await it.silence()


@fault("endless body")
async def _(it):
    await it.repeat(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1000\r\n" + b" " * 0x1000 + b"\r\n")


@fault("endless error")
async def _(it):
    await it.repeat(b"HTTP/1.1 500 -\r\nTransfer-Encoding: chunked\r\n\r\n", b"1000\r\n" + b" " * 0x1000 + b"\r\n")


@fault("endless head")
async def _(it):
    await it.repeat(b"HTTP/1.1 200 OK\r\n", b"X-More: " + b"x" * 0x1000 + b"\r\n")


@fault("endless header")
async def _(it):
    await it.repeat(b"HTTP/1.1 200 OK\r\nX-More: ", b"x" * 0x1000)


@fault("endless chunk head")
async def _(it):
    await it.repeat(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", b"x" * 0x1000)


@fault("endless trailers")
async def _(it):
    await it.repeat(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"X-More: " + b"x" * 0x1000 + b"\r\n")


@fault("interim answers")
async def _(it):
    await it.repeat(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 50, DRIP / 10)


@fault("trickle")
async def _(it):
    """An answer byte by byte, which ends long after every deadline."""
    await it.repeat(b'HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n{"', b"x", DRIP)


@fault("trickling head")
async def _(it):
    await it.repeat(b"HTTP/1.1 200 OK\r\nX-More: ", b"x", DRIP)


# --- the queue has the message, and the answer is none ------------------------------------------------------------


@fault("stored page", stores=True)
async def _(it):
    await it.store()
    it.write(PAGE, headers=HTML)
    return True


@fault("stored cut", stores=True)
async def _(it):
    _, body = await it.store()
    it.write(body, length=len(body) + 10)


@fault("stored trickle", stores=True)
async def _(it):
    await it.store()
    await it.repeat(b'HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n{"', b"x", DRIP)


@fault("answered twice", stores=True)
async def _(it):
    """The second answer is there before the next request, to which the server gives none."""
    _, body = await it.store()
    it.write(body)
    it.write(body)
    await it.silence()


@fault("answered again", stores=True)
async def _(it):
    """The same, and the second answer comes a little later, when the connection may be in use again."""
    _, body = await it.store()
    it.write(body)
    await asyncio.sleep(DRIP / 4)
    it.write(body)
    await it.silence()


# Faults that last as long as the client waits.
LONG = {"hang", "late", "huge length", "trickle", "trickling head", "interim answers", "stored trickle"}


class FaultyQueue(Connections):
    """Answers each message as its fault says, and every other request to SQS with an empty result.

    `upstream` is the endpoint of a real queue server, which gets what is stored. Without one, `stored` counts it, by the
    number of the delivery. `late` is for the fault of that name, in seconds. With a `tolerance` in seconds, a request whose
    signature is older or newer is refused as AWS does it.
    """

    def __init__(self, upstream=None, late=0.5, tolerance=None):
        super().__init__()
        self._upstream, self.late, self.tolerance = upstream, late, tolerance
        self._pool = urllib3.PoolManager(maxsize=64, retries=False)
        self.stored = Counter()
        # How often each fault was met, how often a redirect was followed, how often a signature was too old or too new.
        self.fired = Counter()
        self.followed = self.skewed = 0

    async def serve(self):
        """Listens in the running event loop."""
        self.endpoint = f"http://127.0.0.1:{await self.listen()}"

    def start(self):
        """Listens in a thread of its own."""
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        asyncio.run_coroutine_threadsafe(self.serve(), self._loop).result(CLIENT_TIMEOUT)
        return self

    def stop(self):
        asyncio.run_coroutine_threadsafe(self.close(), self._loop).result(CLIENT_TIMEOUT)
        self._loop.call_soon_threadsafe(self._loop.stop)

    async def store(self, exchange):
        if self._upstream:
            headers = {name: value for name, value in exchange.headers.items() if name not in ["host", "connection"]}
            done = await asyncio.to_thread(
                self._pool.request, "POST", self._upstream + "/", body=exchange.body, headers=headers
            )
            return done.status, done.data
        number = NAMED.search(exchange.message)
        self.stored[int(number[1]) if number else None] += 1
        return 200, json.dumps(exchange.confirmation).encode()

    async def _answered(self, reader, writer):
        """Reads and answers one request; returns whether the connection stays open."""
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:] if line)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        if "/elsewhere" in lines[0]:
            self.followed += 1
        if not headers.get("x-amz-target", "").endswith(".SendMessage"):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
            return True
        exchange = Exchange(self, reader, writer, headers, body)
        if self.tolerance is not None and self._is_skewed(headers["x-amz-date"]):
            self.skewed += 1
            return exchange.error(EXPIRED[self.skewed % len(EXPIRED)], "400 Bad Request")
        found = NAMED.search(exchange.message)
        name, attempts = found.group(2, 3) if found else ("none", None)
        if attempts == "first" and "attempt=1;" not in headers.get("amz-sdk-request", ""):
            name = "none"
        self.fired[name] += 1
        return await FAULTS[name](exchange)

    def _is_skewed(self, date):
        signed = calendar.timegm(time.strptime(date, "%Y%m%dT%H%M%SZ"))
        return abs(signed - time.clock_gettime(time.CLOCK_REALTIME)) > self.tolerance
