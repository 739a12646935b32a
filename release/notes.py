"""Prints the CHANGELOG's section of a tag's version; fails if tag, version, repository or CHANGELOG do not agree.

    notes.py v0.1.0 https://github.com/acme/letterbox
"""

import re
import sys

import project


class Disagreement(Exception):
    """The release would say of itself what is not so."""


def section(changelog, version):
    """The text below the heading of a version, up to the next one."""
    found = re.search(rf"(?ms)^## \[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d\n(.*?)(?=^## \[|^\[|\Z)", changelog)
    if not found or not found[1].strip():
        raise Disagreement(f"CHANGELOG.md has no section `## [{version}] - <date>` with text: write it")
    return found[1].strip() + "\n"


def notes(facts, changelog, tag, repository):
    """The release's text, if all of it agrees."""
    if tag != f"v{facts.version}":
        raise Disagreement(f"the tag is {tag}, but the version in Cargo.toml is {facts.version}: correct one of them")
    if repository != facts.repository:
        raise Disagreement(f"this is {repository}, but `repository` in Cargo.toml is {facts.repository}: correct it")
    return section(changelog, facts.version)


def main():
    try:
        [tag, repository] = sys.argv[1:]
    except ValueError:
        print(__doc__.strip(), file=sys.stderr)
        sys.exit(2)
    try:
        changelog = (project.ROOT / "CHANGELOG.md").read_text()
        print(notes(project.read(), changelog, tag, repository), end="")
    except Disagreement as error:
        sys.exit(f"notes: {error}")


if __name__ == "__main__":
    main()
