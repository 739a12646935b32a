"""OpenCard's catalogue in S3: read at start, and again once it has reached its maximum age."""

import json
import time

import pytest

from servers import Function, base_environment, lambda_environment, until

BUCKET = "letterbox-cards"


@pytest.fixture(scope="module")
def store(queue_server):
    client = queue_server.aws("s3")
    client.create_bucket(Bucket=BUCKET)
    return client


def put(store, key, title):
    catalogue = {"123": {"entries": [], "default": {"data": {"title": title}}}}
    store.put_object(Bucket=BUCKET, Key=key, Body=json.dumps(catalogue))


def title(deployment, key):
    request = key.build_request()
    return key.open(deployment.send("opencard", request), request)["data"]["title"]


NEW = json.dumps({"123": {"entries": [], "default": {"data": {"title": "new"}}}}).encode()


@pytest.mark.parametrize(
    "changed, title_then, failures",
    [(NEW, "new", 0), (b'{"123":', "old", 1), (None, "old", 0)],
    ids=["a new one is used", "a broken one is not", "the same one is not sent again"],
)
def test_an_old_catalogue_is_read_again(
    deploy, settings, senders, store, queue_server, changed, title_then, failures
):
    name = f"cards-{title_then}-{failures}"
    queue = queue_server.create(name)
    put(store, name, "old")
    cards = {"CARDS": f"s3://{BUCKET}/{name}", "CARDS_MAX_AGE_S": "1"}
    deployment = deploy(name, {"opencard": settings("opencard", queue_server.endpoint, queue.url, **cards)})
    key, function = senders.of("opencard"), deployment.functions["opencard"]
    if changed:
        store.put_object(Bucket=BUCKET, Key=name, Body=changed)
    time.sleep(1.1)
    mark = function.mark()
    assert title(deployment, key) == title_then
    line = function.delivery_line(mark)
    assert (line["outcome"], line.get("CardsRefreshFailed", 0)) == ("queued", failures)
    printed = [line["message"] for line in function.lines(mark) if "refreshed" in line["message"]]
    failed = ["the document not refreshed: keeping the previous version"] * failures
    assert printed == {"new": ["the document refreshed"], "old": failed}[title_then]


@pytest.mark.parametrize(
    "place, error",
    [
        (f"s3://{BUCKET}/absent.json", "NoSuchKey"),
        ("s3://letterbox-absent/cards.json", "NoSuchBucket"),
        (f"s3://{BUCKET}", "s3://bucket/key"),
        (f"s3://{BUCKET}/broken.json", "line 1"),
    ],
)
def test_an_unusable_catalogue_stops_the_start(directory, settings, store, queue_server, place, error):
    store.put_object(Bucket=BUCKET, Key="broken.json", Body=b"{")
    environment = settings("opencard", queue_server.endpoint, f"{queue_server.endpoint}/1/q", CARDS=place)
    runtime = lambda_environment("opencard", "127.0.0.1:1")
    log = directory / f"cards-{error.replace('/', '')}.log"
    function = Function("opencard", log, base_environment() | runtime | environment)
    try:
        until(lambda: function.ended, 20, "the function's end")
        [line] = [line for line in function.lines() if line["level"] == "ERROR"]
        assert line["detail"].startswith("CARDS: ") and error in line["detail"]
    finally:
        function.stop()
