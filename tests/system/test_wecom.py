"""WeCom: XML in and out, suites and smart bots, the test of a URL, and what a stranger makes of them."""

import hashlib
import json
import time

import pytest
import xmltodict

from npm import in_node
from platforms import SentRequest
from platforms.dingtalk import query_of
from platforms.wecom import ENTITY, LAUGHS, as_xml

TEXT = (
    "<xml><ToUserName><![CDATA[ww1]]></ToUserName><FromUserName><![CDATA[u1]]></FromUserName>"
    "<CreateTime>1763719200</CreateTime><MsgType><![CDATA[text]]></MsgType>"
    "<Content><![CDATA[ 你好 <b>&amp;</b> 🎋 ]]></Content><MsgId>42</MsgId><AgentID>1</AgentID></xml>"
)
CARD = (
    "<xml><ToUserName>ww1</ToUserName><MsgType>event</MsgType><Event>template_card_event</Event>"
    "<SelectedItems><SelectedItem><QuestionKey>q1</QuestionKey></SelectedItem>"
    "<SelectedItem><QuestionKey>q2</QuestionKey></SelectedItem></SelectedItems></xml>"
)
TICKET = (
    "<xml><SuiteId><![CDATA[s1]]></SuiteId><InfoType> <![CDATA[suite_ticket]]></InfoType>"
    "<TimeStamp>1763719200</TimeStamp><SuiteTicket><![CDATA[t]]></SuiteTicket></xml>"
)
CONTACT = (
    "<xml><ToUserName>ww1</ToUserName><MsgType>event</MsgType><Event>change_contact</Event>"
    "<ChangeType>create_user</ChangeType></xml>"
)

XML = {
    "message": ("default", TEXT, {"type": "wecom.text", "subject": "ww1", "id": "42"}),
    "event": ("default", CARD, {"type": "wecom.event.template_card_event", "subject": "ww1"}),
    "contact": ("default", CONTACT, {"type": "wecom.event.change_contact", "action": "create_user"}),
    "command": ("suite", TICKET, {"type": "wecom.suite_ticket", "subject": "s1"}),
}


@pytest.mark.parametrize("case", XML)
def test_xml_is_queued_as_its_fields_and_verbatim(letterbox, queues, senders, case):
    source, text, expected = XML[case]
    callback = senders.of("wecom", source)
    request = callback.build_request(text)
    callback.acknowledged(letterbox.send("wecom", request, source), request)
    event = json.loads(queues["wecom"].one()["Body"])
    assert {name: event[name] for name in expected} == expected
    assert event["rawdata"] == text
    assert event["datacontenttype"] == "application/json"
    # xmltodict takes white space off, which is the sender's where it stands in a CDATA section.
    assert event["data"] == xmltodict.parse(text, strip_whitespace=False)["xml"] | (
        {"InfoType": "suite_ticket"} if case == "command" else {}
    )
    if "id" not in expected:
        assert event["id"] == hashlib.sha256(text.encode()).hexdigest()


def test_one_url_takes_both_callbacks_of_a_suite(letterbox, queues, senders):
    suite = senders.of("wecom", "suite")
    for receive_id in suite.credentials["receive_id"]:
        sender = type(suite)(suite.token, suite.aes_key, receive_id)
        request = sender.build_request(TEXT)
        sender.acknowledged(letterbox.send("wecom", request, "suite"), request)
        assert len(queues["wecom"].drain()) == 1


BOT = {
    "message": ({"msgid": "m1", "msgtype": "text", "text": {"content": "hi"}}, "wecom.text"),
    "event": ({"msgid": "m2", "msgtype": "event", "event": {"eventtype": "enter_chat"}}, "wecom.event.enter_chat"),
}


@pytest.mark.parametrize("case", BOT)
def test_smart_bot_has_an_empty_receive_id(letterbox, queues, senders, case):
    payload, kind = BOT[case]
    bot = senders.of("wecom", "bot")
    request = bot.build_request(json.dumps({"aibotid": "b1"} | payload))
    bot.acknowledged(letterbox.send("wecom", request, "bot"), request)
    event = json.loads(queues["wecom"].one()["Body"])
    assert (event["type"], event["subject"], event["id"]) == (kind, "b1", payload["msgid"])
    assert "rawdata" not in event


def test_poll_of_a_bot_is_answered_and_not_queued(letterbox, queues, senders):
    bot = senders.of("wecom", "bot")
    request = bot.build_request('{"msgid":"m","aibotid":"b1","msgtype":"stream","stream":{"id":"s"}}')
    bot.acknowledged(letterbox.send("wecom", request, "bot"), request)
    assert queues["wecom"].drain() == []


@pytest.mark.parametrize("source", ["default", "suite", "bot"])
@pytest.mark.parametrize("encode", [True, False], ids=["encoded", "bare plus"])
def test_url_is_tested_with_an_echo(letterbox, queues, senders, source, encode):
    callback = senders.of("wecom", source)
    request = SentRequest(b"", query=callback.verification_query("1616140317555161061", encode=encode))
    response = letterbox.send("wecom", request, source, method="GET")
    assert (response.status_code, response.content) == (200, b"1616140317555161061")
    assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert response.elapsed.total_seconds() < 1
    assert queues["wecom"].drain() == []


NODE = {
    "message": ("default", TEXT, "wecom.text"),
    "command": ("suite", TICKET, "wecom.suite_ticket"),
    "bot": ("bot", '{"msgid":"m3","aibotid":"b1","msgtype":"text","text":{"content":"你好 🎋"}}', "wecom.text"),
}


@pytest.fixture(scope="module")
def sealed_in_node(senders):
    """The same callbacks by the platform's own package for Node.js, and a test of a URL."""
    timestamp, nonce = str(int(time.time())), "263014780"
    cases = {name: senders.of("wecom", source) for name, (source, _, _) in NODE.items()}
    texts = {name: text for name, (_, text, _) in NODE.items()} | {"echo": "8077042513"}
    requests = [
        {
            "library": "@wecom/crypto",
            "token": it.token,
            "key": it.aes_key,
            "id": it.owner_key,
            "timestamp": timestamp,
            "nonce": nonce,
            "body": texts[name],
        }
        for name, it in (cases | {"echo": senders.of("wecom")}).items()
    ]
    usual = {"timestamp": timestamp, "nonce": nonce}
    sealed = dict(zip([*cases, "echo"], in_node(requests), strict=True))
    return {
        name: SentRequest(
            json.dumps({"encrypt": one["encrypt"]}).encode(),
            {"Content-Type": "application/json"},
            query_of({"msg_signature": one["signature"]} | usual | ({"echostr": one["encrypt"]} if name == "echo" else {})),
            texts[name].encode(),
        )
        for name, one in sealed.items()
    }


@pytest.mark.parametrize("case", NODE)
def test_what_the_package_for_node_seals_is_queued(letterbox, queues, senders, sealed_in_node, case):
    source, text, kind = NODE[case]
    request = sealed_in_node[case]
    request = request if case == "bot" else as_xml(request)
    senders.of("wecom", source).acknowledged(letterbox.send("wecom", request, source), request)
    event = json.loads(queues["wecom"].one()["Body"])
    assert event["type"] == kind
    assert event.get("rawdata", text) == text


def test_an_echo_that_the_package_for_node_seals(letterbox, sealed_in_node):
    response = letterbox.send("wecom", sealed_in_node["echo"].but(body=b""), method="GET")
    assert (response.status_code, response.content) == (200, b"8077042513")


ECHOES = {
    "a captured message": (lambda it: it.verification_query(TEXT), 400),
    "a captured bot's message": (lambda it: it.verification_query('{"msgtype":"text"}'), 400),
    "no echostr": (lambda it: it.build_request().query, 400),
    "another signature": (lambda it: it.verification_query("1").replace("msg_signature=", "msg_signature=0"), 401),
    "another token": (lambda it: type(it)("another", it.aes_key, it.owner_key).verification_query("1"), 401),
    "another receiver": (lambda it: type(it)(it.token, it.aes_key, "other").verification_query("1"), 403),
}


@pytest.mark.parametrize("case", ECHOES)
def test_a_stranger_gets_no_echo(letterbox, queues, senders, case):
    query, status = ECHOES[case]
    request = SentRequest(b"", query=query(senders.of("wecom")))
    response = letterbox.send("wecom", request, method="GET")
    assert response.status_code == status
    assert "你好" not in response.text
    assert queues["wecom"].drain() == []


DEEP = b"<xml><MsgType>text</MsgType>" + b"<a>" * 50_000 + b"</a>" * 50_000 + b"</xml>"
HOSTILE = {
    "external entity": ENTITY,
    "entities that grow": LAUGHS,
    "deep": DEEP,
    "never closed": b"<xml>" * 100_000,
    "many": b"<xml>" + b"<a/>" * 100_000 + b"</xml>",
    "many attributes": b"<xml" + b"".join(b' a%d="1"' % n for n in range(60_000)) + b"></xml>",
    "UTF-16": '<?xml version="1.0" encoding="UTF-16"?><xml/>'.encode("utf-16"),
    "cut": b"<xml><Encrypt><![CDATA[",
}


@pytest.mark.parametrize("case", HOSTILE)
@pytest.mark.parametrize("sealed", [True, False], ids=["sealed", "outside"])
def test_hostile_xml_is_refused(letterbox, queues, senders, case, sealed):
    callback = senders.of("wecom")
    body = HOSTILE[case]
    request = as_xml(callback.post(callback.encrypt(callback.enclose(body)))) if sealed else callback.build_request().but(body=body)
    request = request.with_headers(Content_Type="application/octet-stream")
    response = letterbox.send("wecom", request)
    assert response.status_code == 400, response.text
    assert response.elapsed.total_seconds() < 2
    assert queues["wecom"].drain() == []
