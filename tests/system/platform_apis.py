"""Servers in the place of the APIs that the gap filler asks: GitHub's, Stripe's, DingTalk's.

What they answer is checked against the vendors' published descriptions before it is sent: GitHub's models in githubkit, and
Stripe's types in its own library, are both generated from the OpenAPI descriptions. So are the parameters of requests to
Stripe. DingTalk publishes none; its answers are those of its documentation.
"""

import json
import time
import typing
import uuid
import warnings
from datetime import datetime, timezone

import jwt
import stripe
from pydantic import ConfigDict, TypeAdapter, create_model
from stripe.params._event_list_params import EventListParams, EventListParamsCreated

from api_server import Api

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from githubkit_schemas.latest.models import BasicError, HookDeliveryItem

DELIVERIES = TypeAdapter(list[HookDeliveryItem])
ERROR = TypeAdapter(BasicError)


def strict_model(kind):
    """A strict model of a class of Stripe's library, from the annotations that Stripe generates of its description."""

    def converted(hint):
        if isinstance(hint, type) and issubclass(hint, stripe.StripeObject):
            return strict_model(hint)
        origin, arguments = typing.get_origin(hint), typing.get_args(hint)
        if origin is typing.Union:
            return typing.Union[tuple(converted(argument) for argument in arguments)]
        # The object that an event is about may be any.
        return dict if isinstance(origin, type) and issubclass(origin, stripe.StripeObject) else hint

    fields = {}
    for name, hint in typing.get_type_hints(kind).items():
        if name.startswith("_") or name == "OBJECT_NAME" or name in dir(dict):
            continue
        default = None if type(None) in typing.get_args(hint) else ...
        fields[name] = (converted(hint), default)
    return create_model(kind.__name__, __config__=ConfigDict(strict=True, extra="forbid"), **fields)


STRIPE_LIST = create_model(
    "List",
    __config__=ConfigDict(strict=True, extra="forbid"),
    object=(typing.Literal["list"], ...),
    url=(str, ...),
    has_more=(bool, ...),
    data=(list[strict_model(stripe.Event)], ...),
)
STRIPE_PARAMETERS = set(EventListParams.__annotations__)
STRIPE_PARAMETERS |= {f"created[{name}]" for name in EventListParamsCreated.__annotations__}


def rfc3339(seconds):
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


class GitHub(Api):
    """The deliveries of hooks and of one app. `receiver` decides what becomes of a redelivery: a status, or None."""

    def __init__(self, token="token", app=None, public_key=None):
        self.token, self.app, self.public_key = token, app, public_key
        # By the path of the list, newest last.
        self.rows = {}
        self.next_id = 3804004623172239366
        self.receiver = lambda row: 202
        self.base = ""
        super().__init__()

    def attempt(self, path, guid=None, status=500, ago=120, event="push", redelivery=False):
        """Adds an attempt, and returns the delivery's GUID. A status of None was never answered."""
        with self.lock:
            guid = guid or str(uuid.uuid4())
            self.next_id += 7
            row = {
                "id": self.next_id,
                "guid": guid,
                "delivered_at": rfc3339(time.time() - ago),
                "redelivery": redelivery,
                "duration": 0.27,
                "status": {None: "timed out"}.get(status, "OK" if status and status < 300 else f"Invalid HTTP Response: {status}"),
                "status_code": status or 0,
                "event": event,
                "action": None,
                "installation_id": None,
                "repository_id": 9007199254740993,
                "throttled_at": None,
            }
            self.rows.setdefault(path, []).append(row)
            return guid

    def redelivered(self):
        """The GUIDs that were asked for, in order."""
        ids = {row["id"]: row["guid"] for rows in self.rows.values() for row in rows}
        return [
            ids[int(path.split("/")[-2])] for _, method, path, _ in self.requests if method == "POST"
        ]

    def answer(self, method, path, query, headers, body):
        path = path.removeprefix(self.base)
        given = headers.get("Authorization", "").removeprefix("Bearer ")
        if not headers.get("User-Agent"):
            return 403, {}, self._error("Request forbidden by administrative rules.")
        if path.startswith("/app/"):
            try:
                claims = jwt.decode(given, self.public_key, algorithms=["RS256"], issuer=self.app)
                assert claims["exp"] - claims["iat"] <= 600
            except (jwt.PyJWTError, AssertionError):
                return 401, {}, self._error("A JSON web token could not be decoded")
        elif given != self.token:
            return 401, {}, self._error("Bad credentials")
        list_path, _, rest = path.partition("/deliveries")
        list_path += "/deliveries"
        if list_path not in self.rows:
            return 404, {}, self._error("Not Found")
        rows = sorted(self.rows[list_path], key=lambda row: (row["delivered_at"], row["id"]), reverse=True)
        if method == "GET" and not rest:
            return self._page(list_path, rows, query)
        if method == "POST" and rest.endswith("/attempts"):
            [row] = [row for row in rows if row["id"] == int(rest.split("/")[1])] or [None]
            if row is None:
                return 404, {}, self._error("Not Found")
            status = self.receiver(row)
            if status != "lost":
                self.attempt(list_path, row["guid"], status, 0, row["event"], True)
            return 202, {}, {}
        return 404, {}, self._error("Not Found")

    def _page(self, path, rows, query):
        assert set(query) <= {"per_page", "cursor", "status"}, query
        size = int(query.get("per_page", ["30"])[0])
        assert 1 <= size <= 100
        start = 0
        if "cursor" in query:
            kind, _, after = query["cursor"][0].partition("_")
            if kind != "v1":
                return 422, {}, self._error("Validation Failed")
            start = next(n for n, row in enumerate(rows) if row["id"] == int(after)) + 1
        page = rows[start : start + size]
        DELIVERIES.validate_json(json.dumps(page), strict=False)
        headers = {"X-RateLimit-Remaining": "4999", "X-RateLimit-Reset": str(int(time.time()) + 3600)}
        if start + size < len(rows):
            # Of a repository by its number, as GitHub writes it.
            link = f"{self.url}/repositories/1{path.removeprefix('/repos/acme/widget')}?per_page={size}&cursor=v1_{page[-1]['id']}"
            headers["Link"] = f'<{link}>; rel="next"'
        return 200, headers, page

    @staticmethod
    def _error(message):
        error = {"message": message, "documentation_url": "https://docs.github.com/rest"}
        ERROR.validate_python(error)
        return error


class Stripe(Api):
    """The events of an account, each of which failed at an endpoint."""

    def __init__(self, key="rk_test_key"):
        self.key = key
        self.events = []
        super().__init__()

    def event(self, ago=7200, kind="invoice.paid", **more):
        """Adds an event that was not delivered, and returns it."""
        with self.lock:
            event = {
                "id": f"evt_{uuid.uuid4().hex[:24]}",
                "object": "event",
                "api_version": "2024-06-20",
                "created": int(time.time() - ago),
                "data": {"object": {"id": f"in_{len(self.events)}", "object": "invoice", "note": "中 \\ \u2028"}},
                "livemode": False,
                "pending_webhooks": 1,
                "request": {"id": None, "idempotency_key": None},
                "type": kind,
            } | more
            self.events.append(event)
            return event

    def answer(self, method, path, query, headers, body):
        if headers.get("Authorization") != f"Bearer {self.key}":
            return 401, {}, {"error": {"message": "Invalid API Key provided: rk_****", "type": "invalid_request_error"}}
        assert (method, path) == ("GET", "/v1/events")
        names = {name.removesuffix("[]") for name in query}
        assert names <= STRIPE_PARAMETERS, names
        one = {name: values[0] for name, values in query.items()}
        assert one["delivery_success"] == "false"
        limit = int(one.get("limit", 10))
        assert 1 <= limit <= 100
        types = query.get("types[]", [])
        assert len(types) <= 20
        found = [
            event
            for event in sorted(self.events, key=lambda event: (event["created"], event["id"]), reverse=True)
            if int(one.get("created[gte]", 0)) <= event["created"] <= int(one.get("created[lte]", 2**62))
            and (not types or event["type"] in types)
        ]
        if "starting_after" in one:
            ids = [event["id"] for event in found]
            if one["starting_after"] not in ids:
                return 400, {}, {"error": {"message": "No such event", "type": "invalid_request_error"}}
            found = found[ids.index(one["starting_after"]) + 1 :]
        # One test makes an event that Stripe would not.
        is_described = all(event["type"].isprintable() for event in found[:limit])
        answer = {"object": "list", "url": "/v1/events", "has_more": len(found) > limit, "data": found[:limit]}
        if is_described:
            STRIPE_LIST.model_validate(answer)
        # Indented, as Stripe writes it.
        return 200, {}, json.dumps(answer, indent=2).encode()


class DingTalk(Api):
    """The failed list of one application: each call removes what the previous one returned."""

    MOST = 200

    def __init__(self, app_key="dingkey", app_secret="dingsecret"):
        self.app_key, self.app_secret = app_key, app_secret
        self.failed = []
        self.returned = 0
        # Every answer, as the records in it.
        self.answers = []
        self.token = "t0"
        super().__init__()

    def record(self, tag="user_modify_org", **more):
        """Adds a push that failed, and returns its record."""
        with self.lock:
            content = {"corpid": "ding1234", "userid": [f"u{len(self.failed)}"]} | more
            record = {"call_back_tag": tag, "event_time": int(time.time() * 1000) + len(self.failed), tag: content}
            self.failed.append(record)
            return record

    def answer(self, method, path, query, headers, body):
        if (method, path) == ("POST", "/v1.0/oauth2/accessToken"):
            if json.loads(body) != {"appKey": self.app_key, "appSecret": self.app_secret}:
                return 400, {}, {"code": "invalidClientIdOrSecret", "requestid": "1", "message": "无效的clientId或者clientSecret"}
            return 200, {}, {"accessToken": self.token, "expireIn": 7200}
        assert (method, path) == ("GET", "/call_back/get_call_back_failed_result")
        if query.get("access_token") != [self.token]:
            return 200, {}, {"errcode": 88, "errmsg": "error", "sub_code": "40014", "sub_msg": "不合法的access_token"}
        del self.failed[: self.returned]
        page = self.failed[: self.MOST]
        self.returned = len(page)
        self.answers.append(list(page))
        more = len(self.failed) > len(page)
        return 200, {}, {"errcode": 0, "errmsg": "ok", "has_more": more, "failed_list": page}
