"""Packs what cargo built: the stack's folder, the archives of stack and program, and their sums. Run by make.

    pack.py folder    the folder that `sam deploy` takes as it is
    pack.py stack     an archive of that folder
    pack.py program   an archive of the program
    pack.py sums      SHA256SUMS over all archives
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import archive
import elf
import folder
import project

LICENCES = ["LICENSE-APACHE", "LICENSE-MIT"]


def tell(path, size):
    print(f"  {path}  {size / 1e6:.1f} MB", file=sys.stderr, flush=True)


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def built(folder, name):
    """The binary of a function or of the program: as cargo-lambda leaves it, or as cargo does."""
    own = folder / name / "bootstrap"
    return own if own.is_file() else folder / name


@contextmanager
def stripped(path, wanted):
    """The binary, without its symbols where that is wanted: those of a debug build are most of it."""
    with tempfile.TemporaryDirectory() as directory:
        copy = Path(directory) / path.name
        if wanted:
            subprocess.run(["strip", "-o", copy, path], check=True)
        yield copy if wanted else path


def pack_folder(arguments):
    facts, epoch = project.read(), project.epoch()
    own = arguments.folder or arguments.out / facts.stack_name(arguments.architecture)
    # Anew, so that nothing stays that is no longer part of it.
    shutil.rmtree(own, ignore_errors=True)
    for name, content in folder.texts(facts, arguments.architecture):
        write(own / name, content)
    for name in facts.functions:
        with stripped(built(arguments.binaries, name), arguments.strip) as binary:
            content = folder.function(binary, arguments.architecture, arguments.glibc, epoch)
        write(own / f"{name}.zip", content)
        tell(own / f"{name}.zip", len(content))


def write_archive(arguments, name, files, epoch):
    content = archive.packed(name, files, epoch)
    path = arguments.out / f"{name}.tar.gz"
    write(path, content)
    tell(path, len(content))


def pack_stack(arguments):
    facts = project.read()
    name = facts.stack_name(arguments.architecture)
    write_archive(arguments, name, arguments.folder or arguments.out / name, project.epoch())


def pack_program(arguments):
    facts = project.read()
    architecture = project.architecture(arguments.target)
    with tempfile.TemporaryDirectory() as directory:
        own = Path(directory)
        with stripped(built(arguments.binaries, project.PROGRAM), arguments.strip) as binary:
            # Of another system there is nothing to check here.
            if architecture:
                elf.check(binary, architecture, arguments.glibc)
            shutil.copy(binary, own / project.PROGRAM)
        for name in LICENCES:
            shutil.copy(project.ROOT / name, own / name)
        write_archive(arguments, facts.program_name(arguments.target), own, project.epoch())


def write_sums(arguments):
    write(arguments.out / archive.SUMS, archive.sums(arguments.out).encode())


OPTIONS = {
    "out": {"type": Path, "required": True, "help": "where all of it goes"},
    "folder": {"type": Path, "help": "the stack's folder (default: by its name in --out)"},
    "binaries": {"type": Path, "required": True, "help": "target/lambda, or target/debug or the like"},
    "architecture": {"choices": project.TARGETS, "required": True, "help": "that of the functions"},
    "target": {"required": True, "help": "that of the program, as Rust names it"},
    "strip": {"action": "store_true", "help": "remove symbols, as a release has none"},
    "glibc": {"help": "fail if a binary needs a higher version, such as 2.34"},
}
# What is typed, what runs, and its options.
COMMANDS = {
    "folder": (pack_folder, ["out", "folder", "binaries", "architecture", "strip", "glibc"]),
    "stack": (pack_stack, ["out", "folder", "architecture"]),
    "program": (pack_program, ["out", "binaries", "target", "strip", "glibc"]),
    "sums": (write_sums, ["out"]),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    for name, (run, options) in COMMANDS.items():
        command = commands.add_parser(name)
        command.set_defaults(run=run)
        for option in options:
            command.add_argument(f"--{option}", **OPTIONS[option])
    arguments = parser.parse_args()
    try:
        arguments.run(arguments)
    except (elf.WrongBinary, folder.Changed, OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"pack: {error}")


if __name__ == "__main__":
    main()
