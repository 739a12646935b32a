"""WeCom, by wechatpy: the envelope of DingTalk, in XML or JSON, and no signature in the responses."""

import hashlib
import json
import time

from . import MARK, ODD, dingtalk
from .dingtalk import REFUSED as REFUSED
from .dingtalk import STALE as STALE
from .dingtalk import UNAUTHORIZED as UNAUTHORIZED
from .dingtalk import query_of, signatures as signatures, without

SAMPLE = "text"
DEADLINE = 4
STATUS = 200
STATUS_UNQUEUED = 503
REASON = None
EXTENSIONS = {"action", "rawdata"}
READS_QUERY = True
METHODS = {"GET"}
SIGNATURE_HEADERS = []
TYPE = "MsgType"
STATUS_NO_JSON = 400
# Encrypted and in base64, in a body of at most 1 MiB.
LARGEST = 700 * 1024

# As an app sends it whose console says JSON; XML is the default there, and the tests of WeCom have it.
PAYLOAD = (
    b'{"ToUserName":"ww1","FromUserName":"u1","CreateTime":1763719200,"MsgType":"text","Content":"hi",'
    b'"MsgId":7312093846501932834,"AgentID":1}'
)

VERBATIM = f'{{"ToUserName":"ww1","MsgType":"text","MsgId":"m-odd",{ODD}}}'.encode()


def make_payload(**members):
    return json.dumps({"ToUserName": "ww1", "MsgType": "event", "Event": "subscribe"} | members).encode()


def identity(request):
    return "wecom.text", "ww1", "7312093846501932834"


def retry_id(payload):
    return hashlib.sha256(payload).hexdigest()


def new_environment(directory):
    return {}


def new_senders():
    return {
        "default": Callback.new("ww5823bf96d3bd56c7"),
        # One URL for the commands of a suite and the data of the enterprises that authorised it.
        "suite": Callback.new("ww4asffe99e54c0f4c", receive_id=["ww4asffe99e54c0f4c", "ww5823bf96d3bd56c7"]),
        "bot": Callback.new(""),
        "fresh": Callback.new("wwfresh", tolerance=60),
        "rotating": [Callback.new("wwrotating"), Callback.new("wwrotating")],
    }


class Callback(dingtalk.App):
    """One callback URL; its owner key is called receive_id."""

    @property
    def credentials(self):
        return {"token": self.token, "aes_key": self.aes_key, "receive_id": self.owner_key} | self.options

    def build_request(self, payload=PAYLOAD, *, timestamp=None, nonce=None):
        """A callback in the format of its payload."""
        request = super().build_request(payload, timestamp=timestamp or str(int(time.time())), nonce=nonce)
        text = payload if isinstance(payload, bytes) else payload.encode()
        return as_xml(request) if text.lstrip().startswith(b"<") else request

    def post(self, encrypt, *, signature=None, timestamp=None, nonce="n0nce", parameters=None):
        timestamp = timestamp or str(int(time.time()))
        usual = {
            "msg_signature": signature or self.sign(timestamp, nonce, encrypt),
            "timestamp": timestamp,
            "nonce": nonce,
        }
        return super().post(encrypt, parameters=usual if parameters is None else parameters)

    def verification_query(self, text, *, encode=True):
        """The query string of the GET with which WeCom tests a URL."""
        request = super().build_request(text, timestamp=str(int(time.time())))
        encrypt = json.loads(request.body)["encrypt"]
        echostr = query_of({"echostr": encrypt}) if encode else f"echostr={encrypt}"
        return f"{request.query}&{echostr}"

    def acknowledged(self, response, request):
        assert response.status_code == 200, response.text
        if b"InfoType" in as_bytes(request.payload):
            assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
            assert response.text == "success"
        else:
            assert response.content == b""


def as_bytes(text):
    return text if isinstance(text, bytes) else text.encode()


def as_xml(request):
    encrypt = json.loads(request.body)["encrypt"]
    body = (
        f"<xml><ToUserName><![CDATA[ww1]]></ToUserName><Encrypt><![CDATA[{encrypt}]]></Encrypt>"
        "<AgentID><![CDATA[1]]></AgentID></xml>"
    )
    return request.but(body=body.encode()).with_headers(Content_Type="text/xml")


ENTRY = {"token": MARK, "aes_key": MARK + "A" * 36, "receive_id": "ww1"}

BAD_ENTRIES = [
    ({"token": ""}, "token"),
    ({"token": 5}, "token"),
    ({"aes_key": MARK}, "aes_key"),
    ({"aes_key": MARK + "A" * 35 + "="}, "aes_key"),
    ({"receive_id": []}, "receive_id"),
    ({"receive_id": [1]}, "receive_id"),
    ({"receive_id": " ww1"}, "receive_id"),
    ({"tolerance": 0}, "tolerance"),
    ({"owner_key": MARK}, "owner_key"),
]

ENTITY = b'<!DOCTYPE xml [<!ENTITY e SYSTEM "file:///etc/passwd">]><xml><Encrypt>&e;</Encrypt></xml>'
LAUGHS = b'<!DOCTYPE xml [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><xml><MsgType>&b;</MsgType></xml>'

MALFORMED = {
    "no signature": (lambda app: without(app.build_request(), "msg_signature"), "msg_signature"),
    "no timestamp": (lambda app: without(app.build_request(), "timestamp"), "timestamp"),
    "no nonce": (lambda app: without(app.build_request(), "nonce"), "nonce"),
    "no encrypt": (lambda app: app.build_request().but(body=b'{"crypt":"x"}'), "encrypt"),
    "no Encrypt": (lambda app: app.build_request().but(body=b"<xml><A>x</A></xml>"), "encrypt"),
    "two Encrypts": (
        lambda app: app.build_request().but(body=b"<xml><Encrypt>x</Encrypt><Encrypt>x</Encrypt></xml>"),
        "Encrypt",
    ),
    "encrypt of another type": (lambda app: app.build_request().but(body=b'{"encrypt":["x"]}'), "encrypt"),
    "an external entity": (lambda app: app.build_request().but(body=ENTITY), None),
    "neither XML nor JSON": (lambda app: app.build_request().but(body=b"encrypt=x"), None),
    "entities inside": (lambda app: app.build_request(LAUGHS), None),
    "payload is nothing": (lambda app: app.build_request("payload!"), None),
    "payload without a type": (lambda app: app.build_request('{"ToUserName":"c"}'), "MsgType"),
    "type of another type": (lambda app: app.build_request('{"MsgType":{"a":1}}'), "MsgType"),
    "event without a name": (lambda app: app.build_request('{"MsgType":"event"}'), "Event"),
    "doubled type": (lambda app: app.build_request('{"MsgType":"a","MsgType":"stream"}'), "MsgType"),
    "payload is not UTF-8": (
        lambda app: app.post(app.encrypt(app.enclose(b'{"MsgType":"t","x":"\xff"}'))),
        None,
    ),
}
