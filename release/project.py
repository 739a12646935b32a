"""What the workspace says of itself: version, repository, functions."""

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# AWS's name of an architecture, and the target for which Rust builds.
TARGETS = {"arm64": "aarch64-unknown-linux-gnu", "x86_64": "x86_64-unknown-linux-gnu"}
PROGRAM = "letterbox"
# The first time that a zip can hold.
EARLIEST = 315532800


@dataclass(frozen=True)
class Project:
    """The facts that names and texts of a release are made of."""

    version: str
    repository: str
    # Those that receive webhooks.
    providers: tuple
    # Those that do not.
    workers: tuple

    @property
    def functions(self):
        """The names of all Lambda functions."""
        return (*self.providers, *self.workers)

    def stack_name(self, architecture):
        """The name of the stack's folder and archive."""
        return f"{PROGRAM}-{self.version}-{architecture}"

    def program_name(self, target):
        """The name of the program's folder and archive: what [package.metadata.binstall] in cli/Cargo.toml expects."""
        return f"{PROGRAM}-{self.version}-{target}"


def architecture(target):
    """AWS's name of the architecture of a Linux target; None for every other system."""
    return next((name for name, linux in TARGETS.items() if linux == target), None)


def read():
    """Asks cargo, which needs no network for it."""
    command = ["cargo", "metadata", "--no-deps", "--format-version", "1", "--locked"]
    metadata = json.loads(subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout)
    [program] = [package for package in metadata["packages"] if package["name"] == PROGRAM]
    folders = {package["name"]: Path(package["manifest_path"]).parent.parent for package in metadata["packages"]}
    providers, workers = (
        tuple(sorted(name for name, parent in folders.items() if parent == ROOT / folder))
        for folder in ["functions", "workers"]
    )
    return Project(program["version"], program["repository"], providers, workers)


def epoch():
    """The time of everything in a release, in seconds: SOURCE_DATE_EPOCH, else that of the commit, else 1980."""
    given = os.environ.get("SOURCE_DATE_EPOCH")
    if not given and shutil.which("git"):
        command = ["git", "log", "-1", "--format=%ct"]
        given = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    return max(int(given or 0), EARLIEST)
