"""Starts functions under a Runtime API, in turn, and measures each start: the product's, the floor, Python's and Node's.

A start is the time from the process's birth to its first poll of the Runtime API; ours have opened the connection to the
queue by then. The first delivery is from that poll to its response, a warm one each later. CPU time is the process's own,
user and system. The queue is an SQS over TLS on this machine, whose CA is one of some 140 in a bundle. Both ends are this
process, over loopback: the numbers compare the functions with each other; they are not those of Lambda.
"""

import json
import os
import pathlib
import statistics
import subprocess
import sys
import time
import zipfile
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from servers import runtime, serve

ROOT = pathlib.Path(__file__).resolve().parent.parent
HERE = ROOT / "bench"
sys.path.insert(0, str(ROOT / "tests/system"))

from platforms import PLATFORMS  # noqa: E402
from samples import demo_credentials  # noqa: E402

# What else is written for these: an HMAC, and encryption both ways.
REWRITTEN = ("github", "dingtalk")


@dataclass
class Subject:
    """Something that is started: how, with what, and what came out of it."""

    name: str
    provider: str
    command: list
    environment: dict = field(default_factory=dict)
    # What a user uploads, in bytes.
    binary: pathlib.Path | None = None
    archive: bool = False
    runs: list = field(default_factory=list)


COLUMNS = {
    "start_ms": "start",
    "first_ms": "first delivery",
    "start_and_first_ms": "start and first",
    "start_cpu_ms": "CPU, start and first",
    "warm_ms": "warm delivery",
    "warm_p99_ms": "warm p99",
    "warm_cpu_ms": "CPU, warm delivery",
    "peak_mb": "peak memory",
}


def sample_of(provider):
    """The sample event that the quick start sends, or the first one that is queued."""
    platform, folder = PLATFORMS[provider], ROOT / "events" / provider
    named = folder / f"{platform.SAMPLE}.{platform.STATUS}.json"
    if named.exists():
        return named
    outcomes = sorted((ROOT / "tests/expected" / provider).iterdir())
    queued = (path.stem for path in outcomes if json.loads(path.read_text())["outcome"] == "queued")
    return folder / f"{next(queued)}.{platform.STATUS}.json"


def event_of(provider):
    """The sample, with the members of API Gateway that we do not read and others do."""
    event = json.loads(sample_of(provider).read_text())
    event.setdefault("queryStringParameters", dict(parse_qsl(event.get("rawQueryString", ""))))
    event["headers"] = {name.lower(): value for name, value in event["headers"].items()}
    return json.dumps(event).encode()


def subjects(binaries, providers, others=True):
    """The functions of a folder of `<name>/bootstrap`, as cargo-lambda builds them, and what is measured beside them."""
    found = []
    for name in (["floor"] if others else []) + list(providers):
        folder = binaries / name
        binary = folder / "bootstrap" if folder.is_dir() else folder
        if not binary.exists():
            raise SystemExit(f"bench: {binary} is missing: run `make bench`, or name the folder with --binaries")
        provider = "github" if name == "floor" else name
        found.append(Subject(name, provider, [str(binary)], {"CREDENTIALS": demo_credentials(provider)}, binary))
    for provider in REWRITTEN if others else ():
        if provider not in providers:
            continue
        entry = json.loads(demo_credentials(provider))["default"]
        own = {"SECRET": entry.get("secret", ""), "ENTRY": json.dumps(entry)}
        python = [sys.executable, str(HERE / "python/runtime.py"), provider]
        found.append(Subject(f"{provider} in Python", provider, python, own))
        script = HERE / f"node/dist/{provider}.mjs"
        if script.exists():
            found.append(Subject(f"{provider} in Node.js", provider, ["node", str(script)], own))
    return found


def cpu(pid):
    """Seconds that all threads of a process have run."""
    total = 0
    for thread in pathlib.Path(f"/proc/{pid}/task").iterdir():
        total += int((thread / "schedstat").read_text().split()[0])
    return total / 1e9


def peak(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return float("nan")


def once(subject, queue, deliveries):
    """One start, and some deliveries. `queue` is the environment that leads to the queue."""
    marks = {}
    handler = runtime(event_of(subject.provider), deliveries, lambda: marks.update(first=cpu(process.pid)))
    server, port = serve(handler)
    environment = {
        "PATH": os.environ["PATH"],
        "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{port}",
        "AWS_LAMBDA_FUNCTION_NAME": subject.provider,
        "AWS_LAMBDA_FUNCTION_VERSION": "1",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
        "AWS_LAMBDA_LOG_LEVEL": "error",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "ARCHIVE_STREAM": "archive" if subject.archive else "",
        "PYTHONDONTWRITEBYTECODE": "",
        # The AWS SDK's, about the next version of Node.js.
        "NODE_NO_WARNINGS": "1",
        **queue,
        **subject.environment,
    }
    born = time.perf_counter()
    process = subprocess.Popen(subject.command, env=environment, stdout=subprocess.DEVNULL, cwd=HERE / "python")
    try:
        if not handler.done.wait(60):
            raise SystemExit(f"bench: {subject.name} did not answer {deliveries} deliveries within 60 s")
        expected = 202 if subject.name == "floor" else PLATFORMS[subject.provider].STATUS
        if handler.statuses != {expected}:
            raise SystemExit(f"bench: {subject.name} answered with {handler.statuses}, not {expected}")
        whole, most = cpu(process.pid), peak(process.pid)
    finally:
        process.kill()
        process.wait()
        server.shutdown()
        server.server_close()
    times = [(answered - polled) * 1000 for polled, answered in zip(handler.polled, handler.answered)]
    warm = sorted(times[1:])
    start = (handler.polled[0] - born) * 1000
    subject.runs.append(
        {
            "start_ms": start,
            "first_ms": times[0],
            "start_and_first_ms": start + times[0],
            "start_cpu_ms": marks["first"] * 1000,
            "warm_ms": statistics.median(warm),
            "warm_p99_ms": warm[len(warm) * 99 // 100],
            "warm_cpu_ms": (whole - marks["first"]) * 1000 / len(warm),
            "peak_mb": most,
        }
    )


def measure(all_subjects, queue, runs, deliveries, report):
    """All subjects in turn, `runs` times, after one start of each that does not count."""
    for subject in all_subjects:
        once(subject, queue, 2)
        subject.runs.clear()
    for run in range(runs):
        for subject in all_subjects:
            once(subject, queue, deliveries)
        report(f"functions: {run + 1} of {runs}")
    return [summary(subject) for subject in all_subjects]


def summary(subject):
    row = {"name": subject.name, "runs": len(subject.runs)}
    for column in COLUMNS:
        values = [run[column] for run in subject.runs]
        low, middle, high = quartiles(values)
        row[column] = {"median": middle, "quartiles": [low, high]}
    if subject.binary:
        row["binary_bytes"] = subject.binary.stat().st_size
        row["zip_bytes"] = zipped(subject.binary)
    return row


def quartiles(values):
    if len(values) == 1:
        return values * 3
    return statistics.quantiles(values, n=4, method="inclusive")


def zipped(binary):
    """What Lambda is sent, in bytes."""
    target = ROOT / "bench/results/.function.zip"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.write(binary, "bootstrap")
    size = target.stat().st_size
    target.unlink()
    return size
