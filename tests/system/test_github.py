"""GitHub: JSON and form deliveries, the facts in the headers, and the legacy signature."""

import hashlib
import json

import pytest

import messages
from platforms.github import FORM


@pytest.mark.parametrize("form", [False, True], ids=["json", "form"])
def test_both_content_types(letterbox, queues, senders, form):
    hook = senders.of("github")
    request = hook.build_request(
        '{"action":"a+b & c=d","zen":"中🎋\\n","repository":{"full_name":"o/r"}}'.encode(), form=form
    )
    hook.acknowledged(letterbox.send("github", request), request)
    attributes = messages.read(queues["github"].one(), "github", request.payload)
    # The id is that of the name and of what was signed: the form's own text.
    assert attributes["id"] == hashlib.sha256(b"issues\n" + request.body).hexdigest()
    assert attributes["action"] == "a+b & c=d"


@pytest.mark.parametrize("content_type", [FORM.upper(), f"{FORM}; charset=utf-8"])
def test_form_by_any_spelling(letterbox, queues, senders, content_type):
    request = senders.of("github").build_request(form=True).with_headers(Content_Type=content_type)
    assert letterbox.send("github", request).status_code == 202
    messages.read(queues["github"].one(), "github", request.payload)


def test_headers_go_into_the_event(letterbox, queues, senders):
    request = senders.of("github").build_request()
    assert letterbox.send("github", request).status_code == 202
    attributes = messages.read(queues["github"].one(), "github", request.payload)
    expected = {
        "type": "github.issues",
        "deliveryid": request.headers["X-GitHub-Delivery"],
        "action": "opened",
        "hookid": "292430182",
        "targettype": "repository",
        "targetid": "79929171",
    }
    assert {name: attributes[name] for name in expected} == expected


def test_ping_is_an_event(letterbox, queues, senders):
    request = senders.of("github").build_request(b'{"zen":"Keep it logically awesome.","hook_id":1}', "ping")
    assert letterbox.send("github", request).status_code == 202
    attributes = messages.read(queues["github"].one(), "github", request.payload)
    assert attributes["type"] == "github.ping"
    assert "subject" not in attributes


@pytest.mark.parametrize(
    "payload, subject",
    [
        ({"organization": {"login": "acme"}}, "acme"),
        ({"repository": {"full_name": "acme/widget"}, "organization": {"login": "acme"}}, "acme/widget"),
    ],
)
def test_subject(letterbox, queues, senders, payload, subject):
    request = senders.of("github").build_request(json.dumps(payload).encode())
    assert letterbox.send("github", request).status_code == 202
    assert messages.read(queues["github"].one(), "github", request.payload)["subject"] == subject


def test_upper_case_hex_and_any_header_case(letterbox, queues, senders):
    request = senders.of("github").build_request()
    prefix, signature = request.headers["X-Hub-Signature-256"].split("=")
    request = request.but(
        headers={name.upper(): value for name, value in request.headers.items()}
        | {"X-HUB-SIGNATURE-256": f"{prefix}={signature.upper()}"}
    )
    assert letterbox.send("github", request).status_code == 202
    assert len(queues["github"].drain()) == 1


@pytest.mark.parametrize(
    "source, method, status", [("legacy", "sha1", 202), ("legacy", "sha256", 202), ("default", "sha1", 401)]
)
def test_the_legacy_signature_is_accepted_only_if_allowed(letterbox, queues, senders, source, method, status):
    request = senders.of("github", source).build_request(method=method)
    assert letterbox.send("github", request, source).status_code == status
    assert len(queues["github"].drain()) == (status == 202)


def test_the_legacy_signature_does_not_replace_an_invalid_one(letterbox, queues, senders):
    hook = senders.of("github", "legacy")
    request = hook.build_request(method="sha1").with_headers(X_Hub_Signature_256="sha256=" + "0" * 64)
    assert letterbox.send("github", request, "legacy").status_code == 401
    assert queues["github"].drain() == []
