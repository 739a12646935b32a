"""Counts the instructions that each provider's first sample takes, and compares them with the stored ones.

Valgrind's callgrind counts; a count does not depend on what else the machine does, so a few per cent are a change of the
code. Run by `make instructions`. `--store` writes the new counts: read the difference before you commit it.
"""

import argparse
import json
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
STORED = ROOT / "bench/instructions.json"
RECEIVE = ROOT / "target/debug/receive"
# Hash maps start from a random state, and so differ a little in their collisions.
TOLERANCE = 0.03
# By these, libc, ring and OpenSSL choose among their implementations.
CPU_FLAGS = {"adx", "aes", "avx", "avx2", "avx512f", "bmi1", "bmi2", "erms", "fsrm", "pclmulqdq", "sha_ni", "sse4_1", "ssse3", "vaes"}


def output(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "none"


def place():
    """What the counts depend on besides the code and what the lock file and the toolchain's file pin."""
    flags = re.search(r"^flags\s*:(.*)$", pathlib.Path("/proc/cpuinfo").read_text(), re.M)
    return {
        "cpu": " ".join(sorted(CPU_FLAGS & set(flags[1].split()))) if flags else platform.machine(),
        "libc": " ".join(platform.libc_ver()),
        "openssl": output("pkg-config", "--modversion", "openssl"),
        "valgrind": output("valgrind", "--version"),
    }


def counts(binary):
    """Provider to instructions. Each call of `measured` has its own profile, two calls for each provider; the second counts."""
    names = subprocess.run([binary, "list"], stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    with tempfile.TemporaryDirectory() as folder:
        command = [
            "valgrind",
            "--tool=callgrind",
            "--quiet",
            f"--callgrind-out-file={folder}/profile",
            "--toggle-collect=receive::measured",
            "--dump-after=receive::measured",
            str(binary),
            "count",
        ]
        subprocess.run(command, check=True)
        profiles = sorted(pathlib.Path(folder).glob("profile.*"), key=lambda path: int(path.suffix[1:]))
        totals = [int(re.search(r"^(?:totals|summary): (\d+)", path.read_text(), re.M)[1]) for path in profiles]
    # One more may follow, of the end of the process, with nothing in it.
    totals = [total for total in totals if total]
    if len(totals) != 2 * len(names):
        raise SystemExit(f"instructions: {len(totals)} profiles of {len(names)} providers: was `measured` renamed?")
    return dict(zip(names, totals[1::2]))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", action="store_true", help="write bench/instructions.json instead of comparing with it")
    parser.add_argument("--binary", type=pathlib.Path, default=RECEIVE, help="another build of bench's program `receive`")
    arguments = parser.parse_args()
    if not shutil.which("valgrind"):
        print("instructions: skipped, not checked: valgrind is not installed (apt-get install valgrind)", file=sys.stderr)
        return 0
    stored, here = json.loads(STORED.read_text()), place()
    other = [f"{name} {stored['place'].get(name)!r}, here {value!r}" for name, value in here.items() if stored["place"].get(name) != value]
    if other and not arguments.store:
        print(f"instructions: skipped, not checked: the stored counts are of another machine: {'; '.join(other)}", file=sys.stderr)
        return 0
    found = counts(arguments.binary)
    if arguments.store:
        STORED.write_text(json.dumps({"place": here, "instructions": found}, indent=2) + "\n")
        return 0
    stored = stored["instructions"]
    if set(stored) != set(found):
        raise SystemExit(f"instructions: stored are {sorted(stored)}, found {sorted(found)}: run `make instructions ARGS=--store`")
    worse = 0
    print("| provider | stored | now | |\n|---|---|---|---|")
    for name, now in found.items():
        change = now / stored[name] - 1
        mark = "more" if change > TOLERANCE else "less: store it" if change < -TOLERANCE else ""
        worse += change > TOLERANCE
        print(f"| {name} | {stored[name]:,} | {now:,} | {change:+.1%} {mark} |")
    if worse:
        raise SystemExit(
            f"instructions: {worse} more than {TOLERANCE:.0%} above bench/instructions.json: make it cheaper, or run "
            "`make instructions ARGS=--store` and say in the commit why it costs more"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
