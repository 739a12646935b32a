"""Makes an archive of many records in S3 of a local AWS, and measures how `letterbox stack deliveries` reads it.

    .venv/bin/python tests/stack/make_archive.py --count 1000000 --program target/debug/letterbox
"""

import argparse
import gzip
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from pathlib import Path

from emulator import Emulator
from servers import REGION, ROOT, stop_all

from records import NAME, cloud_event, record
from platforms import SentRequest

# What CloudFormation reports of a stack with an archive: all that the list needs.
TEMPLATE = {
    "Resources": {"Archive": {"Type": "AWS::S3::Bucket"}},
    "Outputs": {"ArchiveBucketName": {"Value": {"Ref": "Archive"}}},
}
DAYS = 14


def lines(number, size, end, each):
    """One object: so many records of deliveries within a few minutes."""
    chance = random.Random(number)
    start = end - (number + 1) * each
    made = []
    for index in range(size):
        at = start + each * index / size
        payload = {"repository": {"full_name": "acme/widget"}, "noise": f"{chance.getrandbits(1200):x}", "index": index}
        request = SentRequest(
            json.dumps(payload).encode(),
            {"X-GitHub-Event": "push", "User-Agent": "GitHub-Hookshot/0a1b2c3", "X-Hub-Signature-256": "sha256=" + "0" * 64},
        )
        identity = f"{number:06}-{index:06}"
        if index % 20:
            event = cloud_event("github", identity, at, data=payload)
            made.append(record("github", request, at, "queued", request_id=identity, event=event))
        else:
            made.append(record("github", request, at, "refused", "signature_mismatch", request_id=identity))
    text = "".join(json.dumps(one) + "\n" for one in made).encode()
    return start, text


def measure(command, environment):
    """Seconds, the peak of memory in MB, and the number of lines."""
    started, peak = time.monotonic(), [0.0]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:

        def watch():
            # Not rusage: there, a child begins with the memory of its parent.
            while child.poll() is None:
                try:
                    status = Path(f"/proc/{child.pid}/status").read_text()
                except OSError:
                    return
                high = re.search(r"VmHWM:\s+(\d+)", status)
                peak[0] = int(high[1]) / 1024 if high else peak[0]
                time.sleep(0.01)

        watcher = threading.Thread(target=watch)
        watcher.start()
        count = sum(1 for _ in child.stdout)
        errors = child.stderr.read().decode()
    watcher.join()
    assert child.returncode == 0, errors
    return time.monotonic() - started, peak[0], count


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--size", type=int, default=2000, help="records of an object (default: %(default)s)")
    parser.add_argument("--program", default=str(ROOT / "target/debug/letterbox"))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="letterbox-", ignore_cleanup_errors=True) as directory:
        try:
            aws = Emulator(directory)
            formation = aws.client("cloudformation")
            formation.create_stack(StackName="many", TemplateBody=json.dumps(TEMPLATE))
            formation.get_waiter("stack_create_complete").wait(StackName="many", WaiterConfig={"Delay": 1})
            [stack] = formation.describe_stacks(StackName="many")["Stacks"]
            bucket = stack["Outputs"][0]["OutputValue"]
            objects = -(-arguments.count // arguments.size)
            each, end = timedelta(days=DAYS) / objects, datetime.now(timezone.utc)
            raw = packed = 0
            started = time.monotonic()

            def put(number):
                start, text = lines(number, arguments.size, end, each)
                body = gzip.compress(text, 6)
                aws.client("s3").put_object(
                    Bucket=bucket, Key=start.strftime(NAME) + f"-{uuid.uuid4()}.gz", Body=body
                )
                return len(text), len(body)

            with ThreadPoolExecutor(2) as pool:
                for one, (text, body) in enumerate(pool.map(put, range(objects))):
                    raw, packed = raw + text, packed + body
                    if one % 50 == 0:
                        print(f"{one} of {objects} objects", file=sys.stderr)
            print(f"{objects * arguments.size} records, {raw / 1e6:.0f} MB in {objects} objects of {packed / 1e6:.0f} MB, made in {time.monotonic() - started:.0f} s")
            base = [arguments.program, "stack", "deliveries", "--stack", "many", "--region", REGION]
            for title, options in [
                ("all", []),
                ("all as JSON", ["--json"]),
                ("refused", ["--outcome", "refused"]),
                ("text in a few", ["--text", '"index": 1999']),
                ("the last 100", ["--limit", "100"]),
                ("a day", ["--since", "1d"]),
                ("the oldest by its id", ["--json", "--id", f"{objects - 1:06}-000000"]),
            ]:
                seconds, memory, count = measure([*base, *options], {**os.environ, **aws.environment})
                print(f"{title:<22} {count:>9} lines  {seconds:8.1f} s  {memory:7.0f} MB at most")
        finally:
            stop_all()


if __name__ == "__main__":
    main()
