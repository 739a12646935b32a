"""The time of day of a process, which a test lets jump. Its monotonic clock stays, and so does the test's own time."""

import struct
import subprocess
import time
from contextlib import contextmanager
from unittest import mock

from servers import ROOT

# A library between the program and the system. It shifts the time of day by the first member of the file that it maps, in
# milliseconds; the others, which let a disk fail, stay 0.
SOURCE = ROOT / "cli/tests/faults/system.c"
MEMBERS = struct.Struct("=4q")


class Clock:
    """The clock of one process."""

    def __init__(self, directory):
        library, self._file = directory / "system.so", directory / "clock"
        command = ["cc", "-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror", "-o", library, SOURCE]
        subprocess.run(command, check=True)
        self._file.write_bytes(bytes(MEMBERS.size))
        self.seconds = 0
        self.environment = {"LD_PRELOAD": str(library), "LETTERBOX_SYSTEM": str(self._file)}

    def jump_to(self, seconds):
        """Sets the clock this many seconds before (negative) or after the real time, also in the middle of a delivery."""
        # In place: the process has mapped the file.
        with open(self._file, "r+b") as file:
            file.write(MEMBERS.pack(int(seconds * 1000), 0, 0, 0))
        self.seconds = seconds

    @contextmanager
    def shared(self):
        """Lets the test itself see this clock, for what it signs."""
        now, now_ns = time.time, time.time_ns
        with (
            mock.patch.object(time, "time", lambda: now() + self.seconds),
            mock.patch.object(time, "time_ns", lambda: now_ns() + int(self.seconds * 1_000_000_000)),
        ):
            yield
