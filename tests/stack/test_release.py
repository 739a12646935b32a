"""One function is deployed as SAM builds it for users: `make stack` puts it in the place of the build without LTO."""

import struct

from servers import TARGET
from stack import TEMPLATE

RELEASED = TEMPLATE.parent.parent / "release/GithubFunction"
# It has some 6.5 MB; without LTO it has more than 20.
LARGEST = 8 * 1024 * 1024
SYMBOL_TABLE = 2


def section_types(binary):
    """The types of the sections of a 64-bit little-endian ELF file."""
    [table] = struct.unpack_from("<Q", binary, 0x28)
    size, count = struct.unpack_from("<HH", binary, 0x3A)
    return {struct.unpack_from("<I", binary, table + number * size + 4)[0] for number in range(count)}


def test_the_release_build_is_deployed():
    assert "CodeUri: ../release/GithubFunction\n" in TEMPLATE.read_text()
    assert (RELEASED / "bootstrap").read_bytes() == (TARGET / "lambda/github/bootstrap").read_bytes()


def test_it_is_small_and_has_no_symbols():
    binary = (RELEASED / "bootstrap").read_bytes()
    assert len(binary) < LARGEST
    assert SYMBOL_TABLE not in section_types(binary)
