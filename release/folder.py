"""The files of the folder that `sam deploy` takes as it is: the template, a zip for each function, and what goes along.

Pure but for reading: it returns names and contents, and writes nothing.
"""

import io
import re
import zipfile
from datetime import datetime, timezone

import elf
from project import ROOT, TARGETS

# Of a regular file, whose owner writes and everyone runs it.
EXECUTABLE = 0o100755


class Changed(Exception):
    """The template is not as this script expects it."""


def replace(text, pattern, by, times):
    """Replaces a pattern that must be there this many times."""
    text, count = re.subn(pattern, by, text, flags=re.MULTILINE)
    if count != times:
        raise Changed(f"template.yaml has {count} of {pattern!r}, expected {times}: change release/folder.py with it")
    return text


def template(text, functions, architecture):
    """The template of built functions: each is a zip beside it, and the architecture is the one they are built for."""
    text = replace(text, r"^      CodeUri: (?:functions|workers)/(\w+)$", r"      CodeUri: \1.zip", len(functions))
    # Without it `sam build` leaves the zips alone, too.
    text = replace(text, r"^    Metadata: \{BuildMethod: rust-cargolambda.*\n", "", len(functions))
    return replace(
        text,
        r"^    Default: arm64\n    AllowedValues: \[arm64, x86_64\]$",
        f"    Default: {architecture}\n    AllowedValues: [{architecture}]",
        1,
    )


def zipped(binary, epoch):
    """The zip of one function, the same for the same bytes: one entry, with the time of the release."""
    time = datetime.fromtimestamp(epoch, timezone.utc).timetuple()[:6]
    entry = zipfile.ZipInfo("bootstrap", time)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.create_system = 3  # Unix, so that the mode below counts, whatever system packs
    entry.external_attr = EXECUTABLE << 16
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(entry, binary)
    return buffer.getvalue()


def filled(text, project, architecture):
    """A text of this folder, with what it says of the release."""
    facts = {
        "version": project.version,
        "architecture": architecture,
        "target": TARGETS[architecture],
        "repository": project.repository,
        "slug": project.repository.removeprefix("https://github.com/"),
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda match: facts[match[1]], text)


def texts(project, architecture):
    """Every file but the zips, by name."""
    yield "template.yaml", template((ROOT / "template.yaml").read_text(), project.functions, architecture).encode()
    for name in ["README.md", "README.zh-CN.md"]:
        yield name, filled((ROOT / "release" / name).read_text(), project, architecture).encode()
    for name in ["samconfig.toml", "LICENSE-APACHE", "LICENSE-MIT", "CHANGELOG.md"]:
        yield name, (ROOT / name).read_bytes()
    yield "cards.json", (ROOT / "functions/opencard/cards.json").read_bytes()
    for provider in project.providers:
        # The accepted ones: the others are tests, and some are large.
        for path in sorted((ROOT / "events" / provider).glob("*.2??.json")):
            if not path.name.startswith("queue_down"):
                yield f"events/{provider}/{path.name}", path.read_bytes()
        yield f"events/{provider}/credentials.json", (ROOT / "events" / provider / "credentials.json").read_bytes()


def function(path, architecture, glibc, epoch):
    """The zip of a function's binary, which must run on the architecture."""
    elf.check(path, architecture, glibc)
    return zipped(path.read_bytes(), epoch)
