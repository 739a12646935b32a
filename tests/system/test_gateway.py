"""API Gateway events in forms that the emulated gateway does not write, and invalid ones."""

import base64
import json

import pytest

import messages
from platforms import payment
from servers import PROVIDERS

HOST = "hooks.example.net"


def event(path, request, *, encoded, method="POST", **more):
    """API Gateway's payload format 2.0."""
    body = base64.b64encode(request.body).decode() if encoded else request.body.decode()
    headers = {"host": HOST, "x-forwarded-proto": "https", "x-forwarded-for": "192.0.2.1"}
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": request.query,
        "headers": headers | {name.lower(): value for name, value in request.headers.items()},
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "api",
            "domainName": HOST,
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1"},
            "requestId": "id=",
            "routeKey": "$default",
            "stage": "$default",
            "time": "21/Nov/2026:10:00:00 +0000",
            "timeEpoch": 1795255200000,
        },
        "body": body,
        "isBase64Encoded": encoded,
    } | more


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("encoded", [False, True], ids=["text", "base64"])
@pytest.mark.parametrize(
    "path, more",
    [
        ("/{}", {}),
        ("/{}/default", {}),
        ("/{}/default", {"pathParameters": {"source": "default"}}),
        ("/prod/{}/default", {}),
    ],
    ids=["no source", "source in the path", "source as a parameter", "stage"],
)
def test_event_is_read(letterbox, queues, senders, provider, encoded, path, more):
    request = senders.of(provider).build_request()
    answer = letterbox.invoke_with(provider, event(path.format(provider), request, encoded=encoded, **more))
    assert answer["statusCode"] in [200, 202], answer
    messages.read(queues[provider].one(), provider, request.payload)


@pytest.mark.parametrize("change", [str.upper, str.title], ids=["upper", "title"])
def test_header_names_in_any_case(letterbox, queues, senders, change):
    request = senders.of("github").build_request()
    sent = event("/github", request, encoded=True)
    sent["headers"] = {change(name): value for name, value in sent["headers"].items()}
    assert letterbox.invoke_with("github", sent)["statusCode"] == 202
    assert len(queues["github"].drain()) == 1


def test_several_signatures_joined_by_the_gateway(letterbox, queues, senders):
    """The gateway joins headers of one name with commas: no single signature is left."""
    request = senders.of("github").build_request()
    signature = request.headers["X-Hub-Signature-256"]
    request = request.with_headers(X_Hub_Signature_256=f"{signature},{signature}")
    assert letterbox.invoke_with("github", event("/github", request, encoded=True))["statusCode"] == 401
    assert queues["github"].drain() == []


@pytest.mark.parametrize("provider", PROVIDERS)
def test_bytes_under_a_text_type(letterbox, queues, senders, provider):
    request = senders.of(provider).build_request().but(body=b'{"encrypt":"\xff\xfe"}')
    answer = letterbox.invoke_with(provider, event(f"/{provider}", request, encoded=True))
    assert 400 <= answer["statusCode"] < 500
    assert queues[provider].drain() == []


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(
    "change",
    [
        {"body": "%%%", "isBase64Encoded": True},
        {"body": None},
        {"rawQueryString": "a b\n"},
        {"rawPath": None},
        {"rawPath": "no path"},
        {"pathParameters": {"source": ""}},
        {"pathParameters": {"source": "\u0000"}},
    ],
    ids=["no base64", "no body", "no query", "no path", "half a path", "empty source", "control character"],
)
def test_an_event_with_an_invalid_part(letterbox, queues, senders, provider, change):
    request = senders.of(provider).build_request().but(body=b"{}")
    answer = letterbox.invoke_with(provider, event(f"/{provider}", request, encoded=False) | change)
    assert 400 <= answer["statusCode"] < 500, answer
    assert queues[provider].drain() == []


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(
    "other",
    [
        b"{}",
        b"[]",
        b"null",
        b"1",
        b'""',
        b'{"Records":[]}',
        b'{"version":"1.0","httpMethod":"POST","path":"/"}',
    ],
)
def test_anything_but_a_gateway_event_is_an_error(letterbox, queues, senders, provider, other):
    answer = letterbox.invoke_with(provider, other)
    assert answer.get("statusCode", 500) >= 400
    assert queues[provider].drain() == []
    request = senders.of(provider).build_request()
    senders.of(provider).acknowledged(letterbox.send(provider, request), request)


def test_signed_url_is_the_one_that_was_called(letterbox, queues, senders):
    """If no URL is configured, it is built from the API Gateway event."""
    service = senders.of("payment", "called")
    request = service.build_request().but(query=payment.SQUARE_URL.partition("?")[2])
    path = payment.SQUARE_URL.removeprefix(f"https://{HOST}").partition("?")[0]
    assert path == "/payment/square"
    sent = event(path, request, encoded=True, pathParameters={"source": "called"})
    answer = letterbox.invoke_with("payment", sent)
    assert answer["statusCode"] == 202, answer
    assert json.loads(queues["payment"].one()["Body"])["source"] == "/payment/called"
