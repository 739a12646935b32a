"""Alipay: encodings, regions, apps, messages to the application gateway, and what its SDK for Node.js accepts."""

import json
from urllib.parse import parse_qsl

import pytest

import messages
from platforms.alipay import make_fields
from test_libraries import in_node


@pytest.fixture
def app(senders):
    return senders.of("alipay")


def read(queues, payload, source="default"):
    message = queues["alipay"].one()
    attributes = messages.read(message, "alipay", payload, source)
    return attributes, json.loads(message["Body"])["data"]


@pytest.mark.parametrize("keeps_sign_type", [False, True])
def test_what_the_sdk_for_node_accepts(letterbox, queues, app, keeps_sign_type):
    request = app.build_request(keeps_sign_type=keeps_sign_type)
    fields = dict(parse_qsl(request.body.decode(), keep_blank_values=True))
    assert in_node([{"library": "alipay-sdk", "public_key": app.public_key, "fields": fields}]) == [True]
    app.acknowledged(letterbox.send("alipay", request), request)
    attributes, data = read(queues, request.payload)
    assert attributes["rawdata"] == request.body.decode()
    assert data["passback_params"] == "merchantBizType%3d3C%26merchantBizNo%3d2016"
    assert ("sign_type" in data) == keeps_sign_type


@pytest.mark.parametrize("charset", ["gbk", "GBK", "gb2312", "gb18030", "UTF-8"])
def test_the_charset_is_that_of_the_form(letterbox, queues, app, charset):
    request = app.build_request(make_fields(charset=charset, subject="测试商品", body=""), charset=charset)
    # The header is not signed, and the platform's is odd.
    request = request.with_headers(Content_Type="application/x-www-form-urlencoded; text/html; charset=GBK")
    app.acknowledged(letterbox.send("alipay", request), request)
    _, data = read(queues, request.payload)
    assert data["subject"] == "测试商品"
    assert "body" not in data


def test_each_region_has_its_own_word(letterbox, queues, senders):
    app = senders.of("alipay", "intl")
    request = app.build_request({"notify_type": "trade_status_sync", "notify_id": "n1", "currency": "USD"})
    response = letterbox.send("alipay", request, "intl")
    assert response.text == "SUCCESS"
    read(queues, request.payload, "intl")


def test_several_apps_of_one_source(letterbox, queues, senders):
    app = senders.of("alipay", "several")
    for app_id in app.app_ids:
        request = app.build_request(make_fields(app_id=app_id))
        app.acknowledged(letterbox.send("alipay", request, "several"), request)
        read(queues, request.payload, "several")


@pytest.mark.parametrize("app_id", ["2021000000000009", "", None])
def test_another_app_is_403(letterbox, queues, app, app_id):
    fields = make_fields() | ({} if app_id is None else {"app_id": app_id})
    response = letterbox.send("alipay", app.signed(fields))
    assert (response.status_code, response.text) == (403, "fail")
    assert queues["alipay"].drain() == []


@pytest.mark.parametrize("keeps_sign_type", [False, True])
def test_a_message_to_the_application_gateway(letterbox, queues, app, keeps_sign_type):
    content = json.dumps({"out_biz_no": "B1", "status": "SUCCESS", "memo": "a&b=c+d"})
    fields = {
        "msg_method": "alipay.fund.trans.order.changed",
        "notify_id": "n1",
        "utc_timestamp": "1795255200123",
        "charset": "GBK",
        "version": "1.1",
        "biz_content": content,
    }
    request = app.build_request(fields, charset="gbk", keeps_sign_type=keeps_sign_type)
    app.acknowledged(letterbox.send("alipay", request), request)
    attributes, data = read(queues, request.payload)
    assert attributes["type"] == "alipay.alipay.fund.trans.order.changed"
    assert attributes["subject"] == "B1"
    assert attributes["time"].isoformat() == "2026-11-21T10:00:00.123000+00:00"
    assert data["biz_content"] == content


def test_an_encrypted_message_is_queued_as_it_came(letterbox, queues, app):
    fields = {"msg_method": "a.b", "notify_id": "n1", "encrypt_type": "AES", "biz_content": "9W6Mb0ddX4BqIcGlnvAVTw=="}
    request = app.build_request(fields)
    app.acknowledged(letterbox.send("alipay", request), request)
    _, data = read(queues, request.payload)
    assert data["biz_content"] == fields["biz_content"]


def test_spaces_may_be_percent_20(letterbox, queues, app):
    request = app.build_request()
    request = request.but(body=request.body.replace(b"+", b"%20"))
    app.acknowledged(letterbox.send("alipay", request), request)
    read(queues, request.payload)
