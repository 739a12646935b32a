"""The time of day of a process, which a test lets jump. Its monotonic clock stays, and so does the test's own time."""

import os
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from unittest import mock


class Clock:
    """`clock.c`, and the offset that it reads."""

    def __init__(self, directory):
        library = directory / "clock.so"
        source = Path(__file__).with_suffix(".c")
        command = ["cc", "-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror", "-o", library, source]
        subprocess.run(command, check=True)
        self._file = directory / "clock-offset"
        self.seconds = 0
        self.jump_to(0)
        # Of a process whose clock it is.
        self.environment = {"LD_PRELOAD": str(library), "CLOCK_OFFSET": str(self._file)}

    def jump_to(self, seconds):
        """Sets the clock this many seconds before (negative) or after the real time."""
        new = self._file.with_suffix(".new")
        new.write_text(str(int(seconds * 1000)))
        os.replace(new, self._file)
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
