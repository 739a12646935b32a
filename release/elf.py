"""What a built binary needs of the machine that runs it, read from its ELF file: a wrong one is never packed."""

from dataclasses import dataclass
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerNeedSection

# AWS's name of an architecture, and that of ELF.
MACHINES = {"arm64": "EM_AARCH64", "x86_64": "EM_X86_64"}
# The glibc of Amazon Linux 2023, and so of the runtime provided.al2023:
# https://docs.aws.amazon.com/linux/al2023/ug/core-glibc.html, read on 2026-11-26.
AMAZON_LINUX_2023 = "2.34"
# The C library and the compiler's own: every other one is linked statically.
LIBRARIES = ("libc.so", "libm.so", "libdl.so", "librt.so", "libpthread.so", "libgcc_s.so", "ld-linux")


class WrongBinary(Exception):
    """The binary would not run where it is meant to."""


@dataclass(frozen=True)
class Needs:
    """What one binary needs."""

    machine: str
    glibc: tuple
    libraries: tuple


def version(text):
    return tuple(int(part) for part in text.split("."))


def read(path):
    """Reads what the binary needs; an error names the file."""
    with Path(path).open("rb") as file:
        try:
            elf = ELFFile(file)
            sections = list(elf.iter_sections())
            names = [
                auxiliary.name
                for section in sections
                if isinstance(section, GNUVerNeedSection)
                for _, auxiliaries in section.iter_versions()
                for auxiliary in auxiliaries
            ]
            libraries = [
                tag.needed
                for section in sections
                if isinstance(section, DynamicSection)
                for tag in section.iter_tags("DT_NEEDED")
            ]
        except ELFError as error:
            raise WrongBinary(f"{path}: not an ELF binary: {error}") from None
        numbers = [name.removeprefix("GLIBC_") for name in names if name.startswith("GLIBC_")]
        glibc = max((version(number) for number in numbers if number[0].isdigit()), default=(0,))
        return Needs(elf["e_machine"], glibc, tuple(libraries))


def objections(needs, architecture, glibc):
    """Why a binary with these needs does not run on the architecture with at most this glibc; empty if it does."""
    wanted = MACHINES[architecture]
    if needs.machine != wanted:
        yield f"it is for {needs.machine}, not for {wanted}: build it for {architecture}"
    if glibc and needs.glibc > version(glibc):
        found = ".".join(map(str, needs.glibc))
        yield f"it needs glibc {found}, and at most {glibc} is allowed: build it with cargo-lambda, which links by zig"
    others = [library for library in needs.libraries if not library.startswith(LIBRARIES)]
    if others:
        yield f"it needs {', '.join(others)}: link these statically"


def check(path, architecture, glibc=None):
    """Raises an error if the binary does not run on the architecture with at most this glibc; returns its needs."""
    needs = read(path)
    found = list(objections(needs, architecture, glibc))
    if found:
        raise WrongBinary("\n".join(f"{path}: {objection}" for objection in found))
    return needs


def main():
    import argparse
    import sys

    parser = argparse.ArgumentParser(description="Check that binaries run on Amazon Linux 2023.")
    parser.add_argument("--architecture", required=True, choices=MACHINES)
    parser.add_argument("--glibc", default=AMAZON_LINUX_2023, help="the highest version (default: %(default)s)")
    parser.add_argument("binaries", nargs="+", type=Path)
    arguments = parser.parse_args()
    failed = False
    for path in arguments.binaries:
        try:
            needs = check(path, arguments.architecture, arguments.glibc)
        except (WrongBinary, OSError) as error:
            print(error, file=sys.stderr)
            failed = True
        else:
            print(f"{path}: {needs.machine}, glibc {'.'.join(map(str, needs.glibc))}")
    sys.exit(failed)


if __name__ == "__main__":
    main()
