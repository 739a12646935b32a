"""The platforms' side of a delivery, by implementations that are not Letterbox's.

Each module has one class, whose instances are senders with their keys. They have in common:
`credentials`: their entry in a function's credentials; `secrets`: the texts that nobody may ever see;
`letter(payload)`: a delivery as the platform makes it now; `acknowledged(response, letter)`: whether the platform would
take the response for an acknowledgement.
"""

from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class Letter:
    """One request as a platform sends it."""

    body: bytes
    headers: dict = field(default_factory=dict)
    query: str = ""
    # What is inside: the text that the event must carry.
    payload: bytes = b""

    def but(self, **changes):
        return replace(self, **changes)

    def with_headers(self, **headers):
        """Sets headers; `None` takes one away. Names are written with `_`."""
        merged = dict(self.headers)
        for name, value in headers.items():
            name = name.replace("_", "-")
            merged = {known: kept for known, kept in merged.items() if known.lower() != name.lower()}
            if value is not None:
                merged[name] = value
        return replace(self, headers=merged)


def flipped(text):
    """The text with its last letter or digit changed: of the same form, and wrong."""
    position = max(index for index, character in enumerate(text) if character.isalnum())
    return text[:position] + ("0" if text[position] != "0" else "1") + text[position + 1 :]


def expect_accepted(response):
    """The answer to platforms that read nothing but its status."""
    assert response.status_code == 202, response.text
    assert response.headers["Content-Type"] == "application/json"
    assert response.json() == {"status": "accepted"}
