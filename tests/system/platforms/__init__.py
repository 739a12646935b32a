"""The platforms' side of a delivery, by implementations that are not Letterbox's: one module per provider.

A module has the provider's name and is found automatically. It defines every name in `MEMBERS`; names that only its
own tests use are there, too. It imports nothing but this package and the platform's libraries.

A sender has: `credentials`, its entry in the function's credentials; `secrets`, which must appear in no output;
`build_request(payload)`, which signs or encrypts a delivery as the platform does, with the current time;
`acknowledged(response, request)`, which asserts that the platform would accept the response as an acknowledgement.
"""

from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path

MEMBERS = {
    "new_senders": "function: source to sender, or to a list of two while keys rotate; at least `default` and `rotating`",
    "new_environment": "function of a directory: environment variables besides the credentials, files in the directory",
    "SAMPLE": "name of the sample event that the quick start sends",
    "DEADLINE": "the function's own deadline, in seconds",
    "STATUS": "status of the response to an event that is queued",
    "STATUS_UNQUEUED": "status of the response to an event that the queue did not accept",
    "REASON": "`reason` in the log line of an event that is queued, or None",
    "EXTENSIONS": "names of the CloudEvents extension attributes that an event may have",
    "READS_QUERY": "whether the function reads the query string",
    "SIGNATURE_HEADERS": "list of (source, name of the header with its signature); empty where no header has one",
    "TYPE": "member of the payload that must name the event type, or None",
    "STATUS_NO_JSON": "status of the response to a payload that is not JSON, or None where payloads are not JSON",
    "LARGEST": "size in bytes up to which a payload must be accepted",
    "make_payload": "function of members: an event with these members besides those that it must have, as bytes",
    "VERBATIM": "payload with `ODD` in it, as bytes",
    "identity": "function of a request with the default payload: type, subject and id of its event",
    "retry_id": "function of a payload of make_payload: id of its event, where `eventId` is the platform's id",
    "signatures": "function of a request: its signatures, which must not be logged",
    "ENTRY": "credentials entry whose secrets contain MARK, or its base64",
    "BAD_ENTRIES": "list of (members to change in ENTRY, name of the member that the error names)",
    "MALFORMED": "case to (function of the default sender: request that is 400, field that the error names or None)",
    "UNAUTHORIZED": "case to function of the default sender: request that is 401",
    "STALE": "case to (source, function of its sender: request that is 401 because of its time)",
    "REFUSED": "case to (source, function of its sender: request, `reason` in the log line)",
}

# What a module may define besides, with what it is otherwise.
OPTIONAL = {
    # Methods besides POST that the function answers.
    "METHODS": frozenset(),
    # Whether an entry without a tolerance refuses old deliveries.
    "EXPIRES": False,
}

# In every secret of `ENTRY`, and in no output.
MARK = "hunter2"
# Digits, order, escapes, whitespace and duplicate names that any parse and print would change.
ODD = r' "n": 1.50e3 , "big":12345678901234567890123,"dup":1,"dup":2,"esc":"\u4e2d\/","raw":"中🎋",  "z":[ ],"a":{} '


@dataclass(frozen=True)
class SentRequest:
    """One request as a platform sends it."""

    body: bytes
    headers: dict = field(default_factory=dict)
    query: str = ""
    # The decoded content, which the event must have as its `data`.
    payload: bytes = b""

    def but(self, **changes):
        return replace(self, **changes)

    def with_headers(self, **headers):
        """Sets headers; `None` removes one. Names are written with `_`."""
        merged = dict(self.headers)
        for name, value in headers.items():
            name = name.replace("_", "-")
            merged = {known: kept for known, kept in merged.items() if known.lower() != name.lower()}
            if value is not None:
                merged[name] = value
        return replace(self, headers=merged)


def flipped(text):
    """The text with its last letter or digit but one changed: of the same format, but wrong.

    Not the last one: where it ends base64, some of its bits may belong to no byte, and decoders ignore them.
    """
    position = [index for index, character in enumerate(text) if character.isalnum()][-2]
    return text[:position] + ("0" if text[position] != "0" else "1") + text[position + 1 :]


def flip(position):
    """A change of one bit of the byte at a position, counted around where there are fewer."""

    def change(content):
        at = position % len(content)
        return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]

    return change


def as_bytes(request):
    """Under a text type the emulated gateway itself returns 500 for a body that is not UTF-8."""
    return request.with_headers(Content_Type="application/octet-stream")


def expect_accepted(response):
    """Asserts an acknowledgement to a platform that reads only the status."""
    assert response.status_code == 202, response.text
    assert response.headers["Content-Type"] == "application/json"
    assert response.json() == {"status": "accepted"}


def read_error(response):
    """The text of an error in Letterbox's own form."""
    assert list(response.json()) == ["error"]
    return response.json()["error"]


def error_of(provider, response):
    """The text of an error. A platform that wants another form has a `read_error` of its own."""
    return getattr(PLATFORMS[provider], "read_error", read_error)(response)


def find_platforms(folder=Path(__file__).parent):
    """Every module of the folder by its name; the error names missing members."""
    names = sorted(path.stem for path in folder.glob("*.py") if path.stem != "__init__")
    platforms = {name: import_module(f"{__name__}.{name}") for name in names}
    for name, platform in platforms.items():
        missing = [f"\n  {member}: {what}" for member, what in MEMBERS.items() if not hasattr(platform, member)]
        if missing:
            raise ImportError(f"tests/system/platforms/{name}.py must define{''.join(missing)}")
        for member, usual in OPTIONAL.items():
            if not hasattr(platform, member):
                setattr(platform, member, usual)
    return platforms


PLATFORMS = find_platforms()
