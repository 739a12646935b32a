"""A function needs no file system that it can write to: Lambda's is read-only, and what is not may be full."""

import asyncio
import os
import re
import shlex
from pathlib import Path

import pytest

import messages
from environments import Lambda
from servers import PROVIDERS, TARGET
from test_gateway import event

# Nobody creates a file here, not even root.
READ_ONLY = "/proc"


def without_disk(provider, log):
    """A command for a function that cannot write a single byte into a file; its log goes through a pipe, as in Lambda."""
    function, log = shlex.quote(str(TARGET / "debug" / provider)), shlex.quote(str(log))
    return ["sh", "-c", f"cd {READ_ONLY} && {{ ulimit -f 0 && exec {function}; }} 2>&1 | cat >> {log}"]


def process_of(group, provider):
    """The function in a process group."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if os.getpgid(int(process.name)) == group and os.path.samefile(process / "exe", TARGET / "debug" / provider):
                return process
        except (ProcessLookupError, FileNotFoundError):
            continue
    raise AssertionError(f"no process of {provider}")


def written(process):
    """The regular files that a process has open for writing."""
    for descriptor in (process / "fdinfo").iterdir():
        flags = int(descriptor.read_text().split("flags:")[1].split()[0], 8)
        target = process / "fd" / descriptor.name
        if flags & (os.O_WRONLY | os.O_RDWR) and target.is_file():
            yield os.readlink(target)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_delivery_needs_no_disk(senders, settings, queue_server, directory, provider):
    queue = queue_server.create(f"no-disk-{provider}")
    log = directory / f"no-disk-{provider}.log"
    own = settings(provider, queue_server.endpoint, queue.url)
    nowhere = {"HOME": READ_ONLY, "TMPDIR": READ_ONLY}

    async def deliver():
        async with Lambda(directory, "no-disk") as functions:
            environment = functions.environment(provider, own | nowhere, without_disk(provider, log))
            request = senders.of(provider).build_request()
            response = await environment.invoke(event(f"/{provider}", request, encoded=True))
            senders.of(provider).acknowledged(response, request)
            process = process_of(environment.process.pid, provider)
            assert re.search(r"Max file size +0 ", (process / "limits").read_text())
            assert list(written(process)) == []
            return request

    request = asyncio.run(deliver())
    messages.read(queue.one(), provider, request.payload)
