"""The contract's table of statuses: every row, for every provider it applies to."""

import pytest

from platforms import PLATFORMS, error_of
from platforms.dingtalk import sealed
from servers import PROVIDERS


def refused(letterbox, queues, provider, request, status, **how):
    response = letterbox.send(provider, request, **how)
    assert response.status_code == status, response.text
    assert queues[provider].drain() == []
    return response


# --- 400 ---------------------------------------------------------------------------------------------------------

def cases(table):
    """Every case of the table, for every platform."""
    return [
        pytest.param(provider, case, id=f"{provider}-{case}")
        for provider, platform in PLATFORMS.items()
        for case in getattr(platform, table)
    ]


@pytest.mark.parametrize("provider, case", cases("MALFORMED"))
def test_malformed_is_400_and_names_the_field(letterbox, queues, senders, provider, case):
    build, field = PLATFORMS[provider].MALFORMED[case]
    response = refused(letterbox, queues, provider, build(senders.of(provider)), 400)
    error = error_of(provider, response)
    if field:
        assert error.lower().startswith(field.lower() + ": "), error


# --- 401 ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def answers():
    """The response of the first 401 of each function: all others must be equal."""
    return {}


@pytest.mark.parametrize("provider, case", cases("UNAUTHORIZED"))
def test_unauthorized_is_401_and_always_the_same(letterbox, queues, senders, answers, provider, case):
    request = PLATFORMS[provider].UNAUTHORIZED[case](senders.of(provider))
    response = refused(letterbox, queues, provider, request, 401)
    headers = {name: value for name, value in response.headers.items() if name.lower() != "date"}
    assert answers.setdefault(provider, (response.content, headers)) == (response.content, headers)


@pytest.mark.parametrize("provider, case", cases("STALE"))
def test_stale_is_401_like_the_rest(letterbox, queues, senders, provider, case):
    source, build = PLATFORMS[provider].STALE[case]
    response = refused(letterbox, queues, provider, build(senders.of(provider, source)), 401, source=source)
    # A request of the same sender, signed with other keys.
    foreign = PLATFORMS[provider].new_senders()[source].build_request()
    assert response.content == refused(letterbox, queues, provider, foreign, 401, source=source).content


# --- 403, 404, 405, 413 ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("owner_key", ["", "ding", "dingabcdefgh12345679", "DINGABCDEFGH12345678", "x" * 500])
def test_another_owner_key_is_403(letterbox, queues, senders, owner_key):
    app = senders.of("dingtalk")
    assert app.owner_key != owner_key
    request = sealed(app, owner_key=owner_key)
    refused(letterbox, queues, "dingtalk", request, 403)


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("source", ["nobody", "DEFAULT", "%2e%2e", "a%2Fb", "%00", "中", "x" * 300])
def test_unknown_source_is_404(letterbox, queues, senders, provider, source):
    refused(letterbox, queues, provider, senders.of(provider).build_request(), 404, source=source)


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_other_methods_are_405(letterbox, queues, senders, provider, method):
    methods = PLATFORMS[provider].METHODS
    if method in methods:
        pytest.skip("a test of the URL")
    response = refused(letterbox, queues, provider, senders.of(provider).build_request(), 405, method=method)
    assert set(response.headers["Allow"].split(", ")) == {"POST"} | methods


TOO_LARGE = 6 * 1024 * 1024 + 1


@pytest.mark.parametrize("provider", PROVIDERS)
def test_too_large_is_413(letterbox, queues, senders, provider):
    request = senders.of(provider).build_request().but(body=b"x" * TOO_LARGE)
    refused(letterbox, queues, provider, request, 413)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_signed_and_larger_than_a_queue_message_is_413(letterbox, queues, senders, provider):
    payload = PLATFORMS[provider].make_payload(filler="x" * (1024 * 1024))
    refused(letterbox, queues, provider, senders.of(provider).build_request(payload), 413)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_payload_just_below_the_limit_is_queued(letterbox, queues, senders, provider):
    platform, sender = PLATFORMS[provider], senders.of(provider)
    request = sender.build_request(platform.make_payload(filler="x" * platform.LARGEST))
    sender.acknowledged(letterbox.send(provider, request), request)
    assert len(queues[provider].one()["Body"]) > platform.LARGEST
