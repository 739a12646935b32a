"""No secret is on the page, on the pages that it links to, or in its files."""

import json
import re
from collections.abc import Iterator
from html import unescape

from letterbox import SAMPLES, Letterbox, credentials

OWN = {
    "dingtalk": {
        "default": {
            "token": "dingtokenhunter2",
            "aes_key": "HunterTwoHunterTwoHunterTwoHunterTwoHunter7",
            "owner_key": "ding1",
        },
        "other": {
            "token": "dingtokenhunter3",
            "aes_key": "HunterSixHunterSixHunterSixHunterSixHunter7",
            "owner_key": "ding1",
        },
    },
    "opencard": {"default": {"keys": {"0": "aHVudGVyMmh1bnRlcjJoMg", "1": "aHVudGVyM2h1bnRlcjNoMw"}}},
    "github": {
        "default": [{"secret": "github-hunter2"}, {"secret": "github-hunter3"}],
        "other": {"secret": "github-hunter4"},
    },
    "payment": {
        "default": {"secret": "payment-hunter2"},
        "svix": {"secret": "whsec_aHVudGVyMmh1bnRlcjJodW50ZXIy", "preset": "svix"},
    },
    "signed": {
        "default": {"secret": "signed-hunter2"},
        "meta": {"secret": "signed-hunter3", "preset": "meta", "verify_token": "signed-hunter4"},
    },
}
WRONG = {
    "dingtalk": {"default": OWN["dingtalk"]["default"] | {"token": "wrongdingtoken"}},
    "opencard": {"default": {"keys": {"0": "d3Jvbmd3cm9uZ3dyb25ndw"}}},
    "github": {"default": {"secret": "wrong-github"}},
    "payment": {"default": {"secret": "wrong-payment"}},
    "signed": {"default": {"secret": "wrong-signed"}},
}
SENT = {
    "Authorization": "Bearer sent-hunter5",
    "Cookie": "session=sent-hunter6",
    "Proxy-Authorization": "Basic sent-hunter7",
}
PLAIN = re.compile(r"^(token|aes_key|secret|\d)$")


def secrets(given: object, name: str = "") -> Iterator[str]:
    """The values of all secret fields."""
    if isinstance(given, dict):
        for name, value in given.items():
            yield from secrets(value, name)
    elif isinstance(given, list):
        for value in given:
            yield from secrets(value, name)
    elif PLAIN.match(name):
        yield given
        yield given.removeprefix("whsec_")


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
        letterbox.send(provider, None, *wrong, is_refused=True)
        letterbox.post(f"/{provider}", b"{}", SENT)
    letterbox.send("payment", "paid", "--source", "svix", *own, data='{"type":"paid","data":{"id":"1"}}')
    letterbox.send("github", None, "--source", "other", *own)
    # Accepted deliveries, with headers that must not be stored; then the same, redelivered from the page.
    event = json.loads(letterbox.get("/deliveries/10/event").text)
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
