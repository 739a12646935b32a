"""OpenCard: replies from the card catalogue, encrypted under the query's own header."""

import json
import time

import pytest

import messages
from platforms.opencard import Key, header

BODY = {"item_list": [{"title": "故宫博物院"}], "jump_url": "/path/to/page3"}


def query(**members):
    return json.dumps({"type": "sp_ala", "srcid": "123", "surface": "mobile", "intent": {}} | members)


ANSWERS = {
    "intent": (query(intent={"scenic_spot": "故宫"}), BODY),
    "surface": (query(intent={"scenic_spot": "故宫"}, surface="web_h5"), {"jump_url": "https://h5"}),
    "intent in another order": (
        '{"intent":{"b":{"y":"z","x":[1,2]},"a":1},"srcid":"123"}',
        {"order": "none"},
    ),
    "city": (query(location={"province": "江苏", "city": "南京"}), {"city": "南京"}),
    "province": (query(location={"province": "江苏", "city": "苏州"}), {"province": "江苏"}),
    "default": (query(srcid="124", intent={"anything": True}), {"any": 1.0}),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_catalogue_answers(letterbox, queues, senders, name):
    text, data = ANSWERS[name]
    key = senders.of("opencard")
    request = key.build_request(text)
    answer = key.open(letterbox.send("opencard", request), request)
    assert (answer["status"], answer["data"]) == (0, data)
    attributes = messages.read(queues["opencard"].one(), "opencard", text)
    assert attributes["type"] == "opencard.query"
    assert attributes["subject"] == json.loads(text)["srcid"]
    assert attributes["deliveryid"] == header(request.body)["rid"]


def test_lifetime_is_a_point_in_time(letterbox, senders):
    key = senders.of("opencard")
    request = key.build_request(ANSWERS["intent in another order"][0])
    answer = key.open(letterbox.send("opencard", request), request)
    assert abs(answer["lifetime"] - 3600 - time.time()) < 5


REFUSALS = {
    "no entry": (query(intent={"scenic_spot": "长城"}), 1, None, True),
    "intent arrays have an order": (query(intent={"a": 1, "b": {"x": [2, 1], "y": "z"}}), 1, None, True),
    "unknown srcid": (query(srcid="99999"), 2, "Invalid srcid", True),
    "not JSON": ("not json", 2, None, False),
    "not an object": ("[1]", 2, None, False),
    "no srcid": ('{"intent":{}}', 2, None, False),
    "srcid of another type": ('{"srcid":{"a":1},"intent":{}}', 2, None, False),
    "intent of another type": ('{"srcid":"123","intent":"x"}', 2, None, False),
    "not UTF-8": (b'{"srcid":"123","intent":{"a":"\xff"}}', 2, None, False),
    "empty": ("", 2, None, False),
    "nested deeply": ('{"srcid":"123","intent":' + '{"a":' * 6000 + "1" + "}" * 6001, 2, None, False),
    "doubled member": ('{"srcid":"123","srcid":"124","intent":{}}', 2, None, False),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_the_error_of_a_query_is_in_the_encrypted_reply(letterbox, queues, senders, name):
    text, status, msg, queued = REFUSALS[name]
    key = senders.of("opencard")
    request = key.build_request(text)
    answer = key.open(letterbox.send("opencard", request), request)
    assert answer["status"] == status
    assert answer["msg"] == msg if msg else answer["msg"]
    assert "data" not in answer
    assert len(queues["opencard"].drain()) == queued


@pytest.mark.parametrize(
    "more",
    [
        {"x-more": {"b": [1, 2.50], "a": "中"}},
        {"typ": "JWT", "cty": "json"},
        {"rid": None},
        {"rid": "中"},
        {"rid": 5},
    ],
    ids=["object", "typ and cty", "no rid", "rid beyond ASCII", "rid as a number"],
)
def test_header_is_echoed_whole(letterbox, queues, senders, more):
    key = senders.of("opencard")
    request = key.build_request(**more)
    # Decrypting compares the headers.
    key.acknowledged(letterbox.send("opencard", request), request)
    assert len(queues["opencard"].drain()) == 1


@pytest.mark.parametrize("before, after", [(b"", b"\n"), (b"\r\n\t ", b" \r\n")])
def test_whitespace_around_the_token(letterbox, queues, senders, before, after):
    key = senders.of("opencard")
    request = key.build_request()
    request = request.but(body=before + request.body + after)
    key.acknowledged(letterbox.send("opencard", request), request)
    assert len(queues["opencard"].drain()) == 1


def test_every_reply_has_its_own_key_and_vector(letterbox, senders):
    request = senders.of("opencard").build_request()
    replies = [letterbox.send("opencard", request).text.split(".") for _ in range(3)]
    for segment in [1, 2, 3, 4]:
        assert len({reply[segment] for reply in replies}) == 3


def test_kid_selects_within_a_table(letterbox, senders):
    """Another source's key of the same `kid` is not accepted."""
    stranger = Key("0", Key.new("0").psk)
    assert letterbox.send("opencard", stranger.build_request()).status_code == 401
    assert letterbox.send("opencard", senders.of("opencard").build_request()).status_code == 200
