"""Writes the SBOMs of a release by cargo-cyclonedx: one of the stack, one of the program. Run by make.

cargo-cyclonedx writes one beside the manifest of each crate. That of `registry`, which depends on every function, lists
all that is in the stack; that of `cli` all that is in the program.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import project

FILE = "letterbox-release.cdx"


# What the SBOM of the stack says of it, instead of the crate that stands for all functions.
STACK = {"type": "application", "description": "The functions of Letterbox's stack"}


def renamed(text, name, more):
    """The SBOM of an archive: under its name, and without the folder in which it was made."""
    bom = json.loads(text.replace(f"file://{project.ROOT}", "file:///letterbox"))
    bom["metadata"]["component"] |= {"name": name} | more
    return json.dumps(bom, indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def describe(target):
    """Runs cargo-cyclonedx for a target, and returns what it wrote for `registry` and for `cli`."""
    command = ["cargo", "cyclonedx", "--format", "json", "--spec-version", "1.5", "--target", target, "--quiet"]
    environment = os.environ | {"SOURCE_DATE_EPOCH": str(project.epoch())}
    try:
        subprocess.run([*command, "--override-filename", FILE], cwd=project.ROOT, env=environment, check=True)
        return [(project.ROOT / crate / f"{FILE}.json").read_text() for crate in ["registry", "cli"]]
    finally:
        for folder in ["", "*/", "*/*/"]:
            for path in project.ROOT.glob(f"{folder}{FILE}.json"):
                path.unlink()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", required=True, help="as Rust names it; the stack's SBOM is for Linux alone")
    parser.add_argument("--out", type=Path, required=True, help="where the SBOMs go")
    arguments = parser.parse_args()
    facts, architecture = project.read(), project.architecture(arguments.target)
    try:
        stack, program = describe(arguments.target)
        boms = {facts.program_name(arguments.target): (program, {})}
        if architecture:
            boms[facts.stack_name(architecture)] = stack, STACK
        arguments.out.mkdir(parents=True, exist_ok=True)
        for name, (text, more) in boms.items():
            (arguments.out / f"{name}.cdx.json").write_text(renamed(text, name, more))
            print(f"  {arguments.out / name}.cdx.json", file=sys.stderr)
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"sbom: {error}")


if __name__ == "__main__":
    main()
