"""What is packed into a release, and what is not: release/*.py."""

import io
import json
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

from servers import PROVIDERS, ROOT, WORKERS
from stack import LOCAL

sys.path.insert(0, str(ROOT / "release"))

import archive
import elf
import folder
import notes
import project
import sbom

ARCHITECTURE = LOCAL["Architecture"]
OTHER = next(name for name in project.TARGETS if name != ARCHITECTURE)
# A binary of this machine, whatever it needs.
BINARY = Path(sys.executable).resolve()
NOON = 1795348800
FACTS = project.Project("1.2.3", "https://github.com/acme/letterbox", tuple(PROVIDERS), tuple(WORKERS))


def needs(machine="EM_AARCH64", glibc=(2, 34), libraries=("libc.so.6", "libm.so.6", "ld-linux-aarch64.so.1")):
    return elf.Needs(machine, glibc, libraries)


@pytest.mark.parametrize(
    ("found", "glibc"),
    [(needs(), "2.34"), (needs(glibc=(2, 9)), "2.34"), (needs(glibc=(2, 35)), None), (needs(glibc=(0,)), "2.34")],
)
def test_a_binary_that_runs_is_packed(found, glibc):
    assert list(elf.objections(found, "arm64", glibc)) == []


@pytest.mark.parametrize(
    ("found", "objection"),
    [
        (needs(machine="EM_X86_64"), "it is for EM_X86_64, not for EM_AARCH64"),
        (needs(glibc=(2, 35)), "it needs glibc 2.35, and at most 2.34 is allowed"),
        # As numbers: as text, 2.4 would be the higher one.
        (needs(glibc=(2, 100)), "it needs glibc 2.100, and at most 2.34 is allowed"),
        (needs(libraries=("libc.so.6", "libssl.so.3")), "it needs libssl.so.3: link"),
    ],
)
def test_a_binary_that_would_not_run_is_refused(found, objection):
    [only] = elf.objections(found, "arm64", "2.34")
    assert only.startswith(objection)


def test_the_needs_are_read_from_the_binary():
    """Compared with what binutils reads from the same file."""
    said = subprocess.run(["readelf", "-VW", BINARY], capture_output=True, text=True, check=True).stdout
    names = {word for word in said.split() if word.startswith("GLIBC_2.")}
    read = elf.read(BINARY)
    assert ".".join(map(str, read.glibc)) == max((name.removeprefix("GLIBC_") for name in names), key=elf.version)
    assert read.machine == elf.MACHINES[ARCHITECTURE]
    assert any(library.startswith("libc.so") for library in read.libraries)


def test_a_binary_for_the_other_architecture_is_refused():
    with pytest.raises(elf.WrongBinary, match=f"{BINARY}: it is for"):
        elf.check(BINARY, OTHER)


def test_what_is_no_binary_is_refused():
    with pytest.raises(elf.WrongBinary, match="not an ELF binary"):
        elf.read(ROOT / "Makefile")


def template():
    return (ROOT / "template.yaml").read_text()


@pytest.mark.parametrize("architecture", project.TARGETS)
def test_the_template_takes_the_zips_and_one_architecture(architecture):
    text = folder.template(template(), FACTS.functions, architecture)
    for name in FACTS.functions:
        assert text.count(f"      CodeUri: {name}.zip\n") == 1
    assert "CodeUri: functions/" not in text and "CodeUri: workers/" not in text and "BuildMethod" not in text
    assert text.count(f"    Default: {architecture}\n    AllowedValues: [{architecture}]\n") == 1


@pytest.mark.parametrize("line", ["      CodeUri: functions/github\n", "    AllowedValues: [arm64, x86_64]\n"])
def test_a_template_of_another_form_is_noticed(line):
    with pytest.raises(folder.Changed):
        folder.template(template().replace(line, ""), FACTS.functions, "arm64")


def test_a_function_is_one_executable_in_a_zip():
    content = folder.zipped(b"binary", NOON)
    assert content == folder.zipped(b"binary", NOON)
    [entry] = zipfile.ZipFile(io.BytesIO(content)).infolist()
    assert (entry.filename, entry.external_attr >> 16, entry.date_time[:3]) == ("bootstrap", 0o100755, (2026, 11, 22))


def test_no_sample_that_is_refused_goes_along():
    texts = dict(folder.texts(FACTS, "arm64"))
    for provider in PROVIDERS:
        assert f"events/{provider}/credentials.json" in texts
    assert "events/github/push.202.json" in texts
    assert [name for name in texts if name.endswith((".400.json", ".401.json", ".413.json", ".503.json"))] == []
    assert "https://github.com/acme/letterbox/blob/v1.2.3/docs/" in texts["README.md"].decode()
    assert "--repo acme/letterbox" in texts["README.md"].decode()


def test_an_archive_is_the_same_for_the_same_files(tmp_path):
    folders = [tmp_path / "one", tmp_path / "two"]
    for path, names in zip(folders, [["b", "a", "c/d"], ["c/d", "a", "b"]]):
        for name in names:
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_text(name)
        (path / "a").chmod(0o700)
    one, two = (archive.packed("letterbox-1.2.3", path, NOON) for path in folders)
    assert one == two
    entries = tarfile.open(fileobj=io.BytesIO(one)).getmembers()
    assert [(entry.name, entry.mode) for entry in entries] == [
        ("letterbox-1.2.3/a", 0o755),
        ("letterbox-1.2.3/b", 0o644),
        ("letterbox-1.2.3/c/d", 0o644),
    ]
    assert {(entry.mtime, entry.uid, entry.uname) for entry in entries} == {(NOON, 0, "")}


def test_the_sums_are_those_that_sha256sum_reads(tmp_path):
    (tmp_path / "archive.tar.gz").write_bytes(b"content")
    (tmp_path / archive.SUMS).write_text(archive.sums(tmp_path))
    check = ["sha256sum", "--check", "--strict", archive.SUMS]
    assert subprocess.run(check, cwd=tmp_path, capture_output=True, check=False).returncode == 0
    (tmp_path / "archive.tar.gz").write_bytes(b"changed")
    assert subprocess.run(check, cwd=tmp_path, capture_output=True, check=False).returncode == 1


def test_an_sbom_has_the_archives_name_and_no_path_of_this_machine():
    reference = f"path+file://{ROOT}/registry#letterbox-registry@1.2.3"
    made = {
        "metadata": {"component": {"bom-ref": reference, "name": "letterbox-registry", "type": "library"}},
        "dependencies": [{"ref": reference}],
    }
    bom = json.loads(sbom.renamed(json.dumps(made), "letterbox-1.2.3-arm64", sbom.STACK))
    component = bom["metadata"]["component"]
    assert (component["name"], component["type"]) == ("letterbox-1.2.3-arm64", "application")
    # The references still agree.
    assert component["bom-ref"] == bom["dependencies"][0]["ref"] and str(ROOT) not in json.dumps(bom)


CHANGELOG = """# Changelog

## [Unreleased]

- Later.

## [1.2.3] - 2026-11-27

- Now.

## [1.2.2] - 2026-11-01

- Before.
"""


def test_the_notes_are_the_section_of_the_version():
    assert notes.notes(FACTS, CHANGELOG, "v1.2.3", FACTS.repository) == "- Now.\n"


@pytest.mark.parametrize(
    ("changelog", "tag", "repository", "error"),
    [
        (CHANGELOG, "v1.2.4", FACTS.repository, "the tag is v1.2.4, but the version in Cargo.toml is 1.2.3"),
        (CHANGELOG, "1.2.3", FACTS.repository, "the tag is 1.2.3,"),
        (CHANGELOG, "v1.2.3", "https://github.com/other/letterbox", "this is https://github.com/other/letterbox, but"),
        (CHANGELOG.replace("1.2.3", "1x2x3"), "v1.2.3", FACTS.repository, "CHANGELOG.md has no section"),
        (CHANGELOG.replace("- Now.", ""), "v1.2.3", FACTS.repository, "CHANGELOG.md has no section"),
    ],
)
def test_a_tag_that_disagrees_is_refused(changelog, tag, repository, error):
    with pytest.raises(notes.Disagreement, match=re.escape(error)):
        notes.notes(FACTS, changelog, tag, repository)


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md", "docs/deployment.md"])
def test_documents_name_the_repository_of_the_workspace(name):
    named = set(re.findall(r"--repo (\S+?)[\s`]", (ROOT / name).read_text()))
    assert {f"https://github.com/{slug}" for slug in named} == {project.read().repository}


def test_binstall_finds_the_programs_archive():
    [release] = tomllib.loads((ROOT / "cli/Cargo.toml").read_text())["package"]["metadata"].values()
    facts, target = project.read(), project.TARGETS["arm64"]
    values = {"repo": facts.repository, "name": "letterbox", "version": facts.version, "target": target}
    values |= {"bin": "letterbox", "binary-ext": ""}
    filled = {
        key: re.sub(r"\{ (\S+) \}", lambda match: values[match[1]], release[key]) for key in ["pkg-url", "bin-dir"]
    }
    name = facts.program_name(target)
    assert filled["pkg-url"] == f"{facts.repository}/releases/download/v{facts.version}/{name}.tar.gz"
    assert filled["bin-dir"] == f"{name}/letterbox"
    assert release["pkg-fmt"] == "tgz"
