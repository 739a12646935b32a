"""Measures Letterbox beside what one would use instead. Run by `make bench`, which builds what is measured.

Prints tables, and writes results.json and charts to bench/results. Everything that is compared is measured in turn, in one
run; numbers are medians, with the quartiles in the JSON. Parts: functions, primitives, receive, growth, serve.
"""

import argparse
import json
import os
import pathlib
import platform
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

import charts
import functions
import goals
from servers import Queue, certificates, serve

ROOT = pathlib.Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench/results"
PARTS = ("functions", "primitives", "receive", "growth", "serve")


def report(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


TABLES = []


def table(title, columns, rows):
    """Prints a table in Markdown, and keeps it for the document."""
    lines = [f"**{title}**", "", f"| {' | '.join(columns)} |", "|" + "---|" * len(columns)]
    TABLES.append("\n".join(lines + [f"| {' | '.join(row)} |" for row in rows]))
    print(f"\n{TABLES[-1]}", flush=True)


def program(arguments, name, *more):
    """The JSON that one of bench's own programs prints."""
    done = subprocess.run([arguments.programs / name, *map(str, more)], stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def run_functions(arguments):
    with tempfile.TemporaryDirectory() as folder:
        context, alone, bundle = certificates(pathlib.Path(folder))
        Queue.latency = arguments.latency / 1000
        _, port = serve(Queue, context)
        endpoint = f"https://localhost:{port}"
        queue = {
            "AWS_ENDPOINT_URL": endpoint,
            "QUEUE_URL": f"{endpoint}/1/q",
            "SSL_CERT_FILE": str(alone if arguments.one_root else bundle),
            "AWS_CA_BUNDLE": str(alone if arguments.one_root else bundle),
            "NODE_EXTRA_CA_CERTS": str(alone),
        }
        subjects = functions.subjects(arguments.binaries, arguments.providers, not arguments.alone)
        for subject in subjects:
            subject.archive = arguments.archive
        runs, deliveries = (3, 50) if arguments.quick else (arguments.runs, arguments.deliveries)
        rows = functions.measure(subjects, queue, runs, deliveries, report)
    floor = next((row for row in rows if row["name"] == "floor"), None)
    lines = []
    for row in rows:
        cells = [f"{row[column]['median']:.2f}" for column in functions.COLUMNS]
        if floor:
            cells.append(f"{row['start_ms']['median'] / floor['start_ms']['median']:.1f}")
        size = f"{row['zip_bytes'] / 1e6:.2f}" if "zip_bytes" in row else "-"
        lines.append([row["name"], *cells, size])
    ratio = ["start / floor"] if floor else []
    table("Functions (ms, MB)", ["", *functions.COLUMNS.values(), *ratio, "zip"], lines)
    for column, title, unit in (
        ("start_and_first_ms", "Start and first delivery", "ms"),
        ("warm_cpu_ms", "CPU of a warm delivery", "ms"),
        ("peak_mb", "Peak memory", "MB"),
    ):
        bars = [
            (row["name"], row[column]["median"], *row[column]["quartiles"], row["name"] in arguments.providers)
            for row in rows
        ]
        write(f"functions-{column.rsplit('_', 1)[0]}.svg", charts.bars(title, unit, bars))
    return rows


def run_primitives(arguments):
    rows = program(arguments, "primitives", 5 if arguments.quick else 31)
    table(
        "Primitives beside OpenSSL (speed: ours / OpenSSL's)",
        ["primitive", "bytes", "ours µs", "OpenSSL µs", "speed"],
        [
            [row["primitive"], str(row["bytes"]), f"{row['ours_us']:.2f}", f"{row['openssl_us']:.2f}", f"{row['speed']:.2f}"]
            for row in rows
        ],
    )
    largest = [row for row in rows if row["bytes"] == 16384]
    bars = [(row["primitive"], row["speed"], row["speed"], row["speed"], True) for row in largest]
    write("primitives.svg", charts.bars("Speed at 16 KiB", "OpenSSL is 1", bars))
    return rows


def run_receive(arguments):
    rows = program(arguments, "receive", "time", 5 if arguments.quick else 31)
    table("Handling one delivery, without runtime and queue", ["provider", "µs"], [[row["provider"], f"{row['us']:.1f}"] for row in rows])
    bars = [(row["provider"], row["us"], *row["quartiles_us"], True) for row in rows]
    write("receive.svg", charts.bars("Handling one delivery, without runtime and queue", "µs", bars))
    return rows


def run_growth(arguments):
    grown = program(arguments, "growth", 3 if arguments.quick else 15)
    for what, rows in grown.items():
        lines = [[f"{row['size']:,}", f"{row['delivery_us']:.1f}", f"{row['start_us']:.1f}"] for row in rows]
        table(f"Growth: {what}", ["size", "a delivery, µs", "configuration read at start, µs"], lines)
        column = "delivery_us" if what.startswith("payload") else "start_us"
        up = "µs of a delivery" if column == "delivery_us" else "µs of reading the configuration at start"
        name = what.split()[-1] if "catalogue" in what else what.split()[0]
        write(f"growth-{name}.svg", charts.lines("Growth", what, up, [(row["size"], row[column]) for row in rows]))
    return grown


def run_serve(arguments):
    seconds = 3 if arguments.quick else arguments.seconds
    rows = []
    for connections in arguments.connections:
        with tempfile.TemporaryDirectory() as folder:
            rows.append(load(arguments, pathlib.Path(folder), connections, seconds))
        report(f"serve: {connections} connections")
    table(
        "serve under load, github (the load generator is on the same cores)",
        ["connections", "acknowledged/s", "p50 ms", "p99 ms", "queued / acknowledged", "MB", "CPU ms", "lines on stderr", "s"],
        [
            [
                str(row["connections"]),
                f"{row['acknowledged'] / row['seconds']:,.0f}",
                f"{row['p50_ms']:.1f}",
                f"{row['p99_ms']:.1f}",
                f"{row['queued']} / {row['acknowledged']}",
                f"{row['memory_mb']:.0f}",
                f"{row['cpu_ms']:.3f}",
                str(row["lines"]),
                f"{row['seconds']:.0f}",
            ]
            for row in rows
        ],
    )
    bars = [(f"connections: {row['connections']}", rate := row["acknowledged"] / row["seconds"], rate, rate, True) for row in rows]
    write("serve.svg", charts.bars("serve", "acknowledged deliveries a second", bars))
    return rows


def load(arguments, folder, connections, seconds):
    """`serve` with a new database, under load; every acknowledged delivery must be on the queue."""
    letterbox = str(arguments.programs / "letterbox")
    with open(folder / "errors", "w") as errors, open(folder / "output", "w") as output:
        server = subprocess.Popen([letterbox, "serve", "--port", "0"], cwd=folder, stdout=output, stderr=errors)
    try:
        url = wait_for_url(server, folder / "output")
        signed = subprocess.run(
            [letterbox, "sign", "github", "push", "--as", "raw", "--to", url], stdout=subprocess.PIPE, check=True
        ).stdout
        # A raw request ends its connection.
        (folder / "request").write_bytes(re.sub(rb"(?mi)^connection: close\r\n", b"", signed))
        before = functions.cpu(server.pid)
        sent = program(arguments, "load", url.removeprefix("http://"), folder / "request", connections, seconds)
        took = functions.cpu(server.pid) - before
        memory = functions.peak(server.pid)
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(30)
    with sqlite3.connect(folder / "letterbox.db") as database:
        queued = database.execute("SELECT count(*) FROM messages").fetchone()[0]
    acknowledged = sent["statuses"].get("202", 0)
    if queued < acknowledged or set(sent["statuses"]) - {"202", "503"} or not acknowledged:
        raise SystemExit(f"bench: serve: {sent['statuses']}, and {queued} on the queue")
    lines = len((folder / "errors").read_text().splitlines())
    return sent | {
        "acknowledged": acknowledged,
        "queued": queued,
        "memory_mb": memory,
        "cpu_ms": took * 1000 / acknowledged,
        "lines": lines,
    }


def wait_for_url(server, output):
    for _ in range(200):
        found = re.search(r"on (http://\S+?),", output.read_text())
        if found:
            return found[1]
        if server.poll() is not None:
            break
        time.sleep(0.05)
    raise SystemExit("bench: `letterbox serve` did not start")


def write(name, content):
    (RESULTS / name).write_text(content)


def document(about):
    """Writes the tables into docs/performance.md, the goals first, and the charts into docs/images."""
    path = ROOT / "docs/performance.md"
    start, end = "<!-- Written by `make bench ARGS=--document` from here -->", "<!-- to here -->"
    text = path.read_text()
    before, rest = text.split(start, 1)
    _, after = rest.split(end, 1)
    where = f"{about['cores']} cores of {about['processor']}, load {about['load_at_start']:.1f} at the start, commit {about['commit']}, {about['time'][:10]}."
    images = []
    for chart in sorted(RESULTS.glob("*.svg")):
        shutil.copy(chart, ROOT / f"docs/images/bench-{chart.name}")
        images.append(f"![{chart.stem.replace('-', ': ')}](images/bench-{chart.name})")
    parts = [where, TABLES[-1], *TABLES[:-1], *images]
    path.write_text(f"{before}{start}\n\n" + "\n\n".join(parts) + f"\n\n{end}{after}")


def machine():
    model = re.search(r"model name\s*:\s*(.*)", pathlib.Path("/proc/cpuinfo").read_text())
    return {
        "processor": model[1] if model else platform.processor(),
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "node": subprocess.run(["node", "--version"], capture_output=True, text=True).stdout.strip() if shutil.which("node") else None,
        "load_at_start": os.getloadavg()[0],
        "commit": subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout.strip(),
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="everything in a short form: to see that it runs, not to compare")
    parser.add_argument("--only", choices=PARTS, nargs="+", default=PARTS, metavar="PART", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--providers", nargs="+", default=list(functions.PLATFORMS), metavar="NAME", help="which functions")
    parser.add_argument("--document", action="store_true", help="write the tables into docs/performance.md, and the charts into docs/images")
    parser.add_argument("--alone", action="store_true", help="only our functions: no floor, no Python, no Node.js")
    parser.add_argument("--runs", type=int, default=15, help="starts of each function")
    parser.add_argument("--deliveries", type=int, default=200, help="deliveries of each start")
    parser.add_argument("--archive", action="store_true", help="archive each delivery")
    parser.add_argument("--one-root", action="store_true", help="a CA bundle of one certificate: what the others cost")
    parser.add_argument("--latency", type=float, default=0, metavar="MS", help="how long queue and archive take")
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 16, 64, 256], metavar="N", help="to `serve`, in a run for each number")
    parser.add_argument("--seconds", type=int, default=10, help="of load on `serve`, for each number of connections")
    parser.add_argument("--binaries", type=pathlib.Path, default=ROOT / "target/lambda", help="folder of <function>/bootstrap, or of <function>")
    parser.add_argument("--programs", type=pathlib.Path, default=ROOT / "target/release", help="folder of letterbox and bench's own programs")
    arguments = parser.parse_args()
    arguments.binaries, arguments.programs = arguments.binaries.resolve(), arguments.programs.resolve()
    RESULTS.mkdir(exist_ok=True)
    load_now = os.getloadavg()[0]
    if load_now > 0.5 * (os.cpu_count() or 1):
        report(f"the machine is busy (load {load_now:.1f}): compare ratios only")
    results = {"machine": machine(), "quick": arguments.quick}
    for part in PARTS:
        if part in arguments.only:
            report(part)
            results[part] = globals()[f"run_{part}"](arguments)
    table("Goals", ["what", "goal", "measured", ""], goals.rows(results))
    write("results.json", json.dumps(results, indent=2) + "\n")
    if arguments.document:
        document(results["machine"])
    report(f"results and charts are in {RESULTS.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
