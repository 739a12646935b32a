"""Execution environments of functions, as Lambda runs them: one invocation at a time, and a new start after the process ended.

`cargo lambda watch` does not notice that a function was killed, and leaves its invocation without a response. Here the
invocation fails at once, as in Lambda, and the next one starts the function again.
"""

import asyncio
import base64
import json
import os
import re
import signal
import time
import uuid
from pathlib import Path

from requests.structures import CaseInsensitiveDict

from connections import Connections
from servers import TARGET, Process, base_environment, lambda_environment

# What Lambda would allow an invocation, in seconds.
TIMEOUT = 60

# Where the functions are: a debug build, or what cargo-lambda has built in a folder.
BUILT = os.environ.get("LETTERBOX_FUNCTIONS")


def binary(provider):
    return Path(BUILT) / provider / "bootstrap" if BUILT else TARGET / "debug" / provider


class Response:
    """A function's response, as a sender reads it."""

    def __init__(self, answer):
        self.status_code = answer["statusCode"]
        self.headers = CaseInsensitiveDict(answer.get("headers") or {})
        body = answer.get("body") or ""
        self.content = base64.b64decode(body) if answer.get("isBase64Encoded") else body.encode()

    @property
    def text(self):
        return self.content.decode()

    def json(self):
        return json.loads(self.content)


class Environment:
    """One execution environment. `command` starts the function, and its log goes to a file."""

    def __init__(self, runtime_api, provider, log, environment, command=None):
        self.provider, self.log = provider, Path(log)
        self._runtime_api, self._command = runtime_api, command or [binary(provider)]
        self._environment = base_environment() | environment
        # The present process, and the events for it; None ends its poll.
        self.process = self.events = None
        self.starts = 0
        self._killed = self._failed = False
        # The invocation that is under way: its id, and its result.
        self._id = self._result = None

    def start(self):
        self.starts += 1
        self._killed = False
        self.events = asyncio.Queue()
        # Each process has a URL of its own: what one sent before its end must not look as if the next one had.
        api = f"{self._runtime_api}/{self.starts}"
        runtime = lambda_environment(self.provider, api)
        self.process = Process(self._command, self.log, self._environment | runtime)
        ends = os.pidfd_open(self.process.pid)
        asyncio.get_running_loop().add_reader(ends, self._ended, ends)

    def _ended(self, ends):
        asyncio.get_running_loop().remove_reader(ends)
        os.close(ends)
        self._failed |= not self._killed
        self.process.stop()
        self.process = None
        self.events.put_nowait(None)
        self.respond(self._id, None)

    def close(self):
        """Ends the process."""
        if self.process is not None:
            self._killed = True
            self.process.send(signal.SIGKILL)

    def respond(self, identifier, answer):
        if self._result and identifier == self._id and not self._result.done():
            self._result.set_result(answer)

    async def invoke(self, event):
        """The function's response, or None if it was killed before."""
        if self.process is None:
            self.start()
        self._id, self._result = str(uuid.uuid4()), asyncio.get_running_loop().create_future()
        self.events.put_nowait((self._id, json.dumps(event).encode()))
        answer = await asyncio.wait_for(self._result, TIMEOUT)
        assert not self._failed, f"{self.provider} ended by itself:\n{self.log.read_text()}"
        return answer and Response(answer)

    def kill(self):
        """At once, as the kernel does it if there is too little memory; returns whether there was a process."""
        if self.process is None:
            return False
        self._killed = True
        os.kill(self.process.pid, signal.SIGKILL)
        return True

    def peak(self):
        """The most memory that the present process has had, in MiB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024

    def lines(self):
        """Every complete line of the log; each must be JSON."""
        text = self.log.read_text() if self.log.exists() else ""
        return [json.loads(line) for line in text.splitlines(True) if line.endswith("\n")]


class Lambda(Connections):
    """The Runtime API of some environments, in the running event loop."""

    def __init__(self, directory, name):
        super().__init__()
        self._directory, self._name = directory, name
        self.environments = []

    async def __aenter__(self):
        self._port = await self.listen()
        return self

    async def __aexit__(self, *_):
        for environment in self.environments:
            environment.close()
        while any(environment.process for environment in self.environments):
            await asyncio.sleep(0.01)
        await self.close()

    def environment(self, provider, environment, command=None):
        """A further environment, which starts with its first invocation."""
        number = len(self.environments)
        api = f"http://127.0.0.1:{self._port}/{number}"
        log = self._directory / f"{self._name}-{provider}-{number}.log"
        self.environments.append(Environment(api, provider, log, environment, command))
        return self.environments[-1]

    async def _answered(self, reader, writer):
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, path, _ = lines[0].split(" ")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:] if line)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        # /<environment>/<start>/2018-06-01/runtime/invocation/…
        _, number, start, _, _, _, *rest = path.split("/")
        environment = self.environments[int(number)]
        if (method, rest) == ("GET", ["next"]):
            invocation = await environment.events.get() if int(start) == environment.starts else None
            if invocation is None:
                return False
            identifier, event = invocation
            head = [
                "HTTP/1.1 200 OK",
                f"Lambda-Runtime-Aws-Request-Id: {identifier}",
                f"Lambda-Runtime-Deadline-Ms: {int((time.time() + TIMEOUT) * 1000)}",
                "Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:us-east-1:000000000000:function:x",
                "Content-Type: application/json",
                f"Content-Length: {len(event)}",
            ]
            writer.write("\r\n".join(head).encode() + b"\r\n\r\n" + event)
            return True
        identifier, action = rest
        assert (method, action) == ("POST", "response"), f"{path}: {body[:1000]}"
        writer.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")
        environment.respond(identifier, json.loads(body))
        return True
