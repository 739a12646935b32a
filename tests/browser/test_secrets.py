"""No secret is on the page, on the pages that it links to, or in its files."""

import json
import re
from collections.abc import Iterator
from html import unescape

from letterbox import DEMO, SAMPLES, Letterbox, credentials

# Fields with a secret, and OpenCard's table of keys.
SECRET_FIELDS = {"secret", "token", "aes_key", "verify_token", "encrypt_key", "api_v3_key", "keys"}


def is_secret(value: str, fields: tuple[str, ...]) -> bool:
    """Whether it is a secret: a certificate or a public key is none."""
    return not SECRET_FIELDS.isdisjoint(fields) and "-----BEGIN" not in value


def changed(value: object, *fields: str) -> object:
    """The value with other secrets of the same form: hex stays hex, and base64 stays base64."""
    if isinstance(value, dict):
        return {name: changed(value, *fields, name) for name, value in value.items()}
    if isinstance(value, list):
        return [changed(value, *fields) for value in value]
    if not isinstance(value, str) or not is_secret(value, fields):
        return value
    # The last character of base64 has bits that must stay.
    body = value.rstrip("=")[:-1]
    prefix, mark, own = body.rpartition("whsec_")
    return prefix + mark + own.translate(OTHERS) + value[len(body) :]


OTHERS = str.maketrans(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789",
    "bcdefahijklmnopqrstuvwxyzgBCDEFAHIJKLMNOPQRSTUVWXYZG1234567890",
)
OWN = changed(DEMO)
WRONG = changed(OWN)
SENT = {
    "Authorization": "Bearer sent-hunter5",
    "Cookie": "session=sent-hunter6",
    "Proxy-Authorization": "Basic sent-hunter7",
}


def secrets(value: object, *fields: str) -> Iterator[str]:
    """Every secret in credentials."""
    if isinstance(value, dict):
        for name, member in value.items():
            yield from secrets(member, *fields, name)
    elif isinstance(value, list):
        for member in value:
            yield from secrets(member, *fields)
    elif isinstance(value, str) and is_secret(value, fields):
        yield value
        yield value.removeprefix("whsec_")


def paths(letterbox: Letterbox) -> list[str]:
    """The page, and every page below it that it links to."""
    seen, ahead = [], ["/"]
    while ahead:
        path = ahead.pop()
        if path in seen:
            continue
        seen.append(path)
        response = letterbox.get(path)
        assert response.status_code == 200, path
        if response.headers["Content-Type"].startswith("text/html"):
            ahead += [
                unescape(found) for found in re.findall(r'href="(/(?:deliveries[^"]*)?)"', response.text)
            ]
    return seen


def test_no_secret_is_shown_or_stored(serve, browse, tmp_path):
    own = credentials(tmp_path / "own.json", **OWN)
    wrong = credentials(tmp_path / "wrong.json", **WRONG)
    letterbox = serve(*own)
    hidden = [*secrets(OWN), *secrets(WRONG), "sent-hunter5", "sent-hunter6", "sent-hunter7"]
    assert len(hidden) > 20

    for provider in SAMPLES:
        letterbox.send(provider, None, *own)
        # Where all that an entry has is public, there is no wrong one.
        letterbox.send(provider, None, *wrong, is_refused=OWN[provider] != WRONG[provider])
        letterbox.post(f"/{provider}", b"{}", SENT)
    letterbox.send("signed", "svix/contact.created", "--source", "svix", *own)
    letterbox.send("github", None, "--source", "rotating", *own)
    # Accepted deliveries, with headers that must not be stored; then the same, redelivered from the page.
    number = 3 * list(SAMPLES).index("payment") + 1
    event = json.loads(letterbox.get(f"/deliveries/{number}/event").text)
    letterbox.post(event["rawPath"], event["body"].encode(), event["headers"] | SENT)
    newest = letterbox.newest()
    page = browse(f"{letterbox.url}/deliveries/{newest}")
    assert page.locator("dd", has_text="***").count() == 3
    page.get_by_role("button", name="Redeliver").click()
    page.wait_for_url(f"{letterbox.url}/deliveries/{newest + 1}")

    visited = paths(letterbox)
    assert len([path for path in visited if re.fullmatch(r"/deliveries/\d+", path)]) == newest + 1
    for end in ("body", "message", "curl", "event"):
        assert any(path.endswith(f"/{end}") for path in visited) or end == "message"
    visited += [f"/deliveries/{number}/message" for number in range(1, newest + 2)]
    for path in visited:
        text = letterbox.get(path).text
        assert [secret for secret in hidden if secret in text] == [], path
    # The database with its side files, and the log.
    kept = b"".join(file.read_bytes() for file in letterbox.directory.iterdir())
    assert b"payment_success" in kept
    assert [secret for secret in hidden if secret.encode() in kept] == []
