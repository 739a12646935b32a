"""WeChat Pay: both modes at once, what its own libraries sign and accept, and the shape of the event."""

import json

import pytest

import messages
from platforms import SentRequest
from platforms.wechatpay import Merchant, verified_by_library
from test_libraries import in_node


@pytest.fixture
def merchant(senders):
    return senders.of("wechatpay")


def test_the_library_accepts_what_the_function_accepts(letterbox, queues, merchant):
    request = merchant.build_request()
    assert verified_by_library(merchant, request)
    merchant.acknowledged(letterbox.send("wechatpay", request), request)
    queues["wechatpay"].one()


@pytest.mark.parametrize("source", ["default", "certificate"])
def test_a_notification_of_the_axios_plugin(letterbox, queues, senders, source):
    merchant = senders.of("wechatpay", source)
    resource = json.dumps({"out_trade_no": "T-9", "attach": "自定义数据"}, ensure_ascii=False)
    [answer] = in_node(
        [
            {
                "library": "wechatpay-axios-plugin",
                "private_key": merchant.private_key,
                "api_v3_key": merchant.api_v3_key,
                "notification": {"id": "EV-9", "event_type": "REFUND.SUCCESS", "create_time": "2026-11-21T18:00:00+08:00"},
                "resource": resource,
                "associated_data": "refund",
                "nonce": "fdasflkja484",
            }
        ]
    )
    request = SentRequest(answer["body"].encode(), answer["headers"] | {"Wechatpay-Serial": merchant.key_id})
    merchant.acknowledged(letterbox.send("wechatpay", request, source), request)
    payload = f'{{"id":"EV-9","event_type":"REFUND.SUCCESS","create_time":"2026-11-21T18:00:00+08:00","resource":{resource}}}'
    message = queues["wechatpay"].one()
    attributes = messages.read(message, "wechatpay", payload, source)
    assert (attributes["id"], attributes["subject"]) == ("EV-9", "T-9")
    # Whoever wants to verify it once more has what came.
    assert attributes["rawdata"] == answer["body"]


def test_a_serial_number_is_compared_as_a_number(letterbox, queues, senders):
    merchant = senders.of("wechatpay", "certificate")
    for serial in [merchant.key_id.lower(), f"00{merchant.key_id}", merchant.key_id.lstrip("0")]:
        request = merchant.build_request().with_headers(Wechatpay_Serial=serial)
        assert letterbox.send("wechatpay", request, "certificate").status_code == 200
        queues["wechatpay"].one()


def test_the_signature_type_may_be_absent(letterbox, queues, merchant):
    request = merchant.build_request().with_headers(Wechatpay_Signature_Type=None)
    assert letterbox.send("wechatpay", request).status_code == 200
    queues["wechatpay"].one()


def test_a_replayed_notification_keeps_its_id(letterbox, queues, merchant):
    request = merchant.build_request()
    for _ in range(2):
        assert letterbox.send("wechatpay", request).status_code == 200
    assert {json.loads(message["Body"])["id"] for message in queues["wechatpay"].drain()} == {"EV-1"}


def test_a_refusal_is_in_the_platforms_words(letterbox, queues, merchant):
    response = letterbox.send("wechatpay", Merchant.new().build_request())
    assert (response.status_code, response.json()) == (401, {"code": "FAIL", "message": "unauthorized"})
    assert queues["wechatpay"].drain() == []
