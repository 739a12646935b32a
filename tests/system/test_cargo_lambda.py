"""`cargo lambda watch`, which starts the functions itself, and `cargo lambda invoke`."""

import json

import pytest

from samples import EVENTS, demo_credentials
from servers import PROVIDERS, Gateway, base_environment


def samples():
    """Every sample event with the status at the end of its name, except those that need a failing queue."""
    found = [(path, int(path.name.split(".")[-2])) for path in sorted(EVENTS.glob("*/*.*.json"))]
    return [
        pytest.param(path.parent.name, path, status, id=f"{path.parent.name}-{path.stem}")
        for path, status in found
        if status != 503
    ]


@pytest.fixture(scope="module")
def samples_queue(queue_server):
    return queue_server.create("letterbox-samples")


@pytest.fixture(scope="module")
def demo(deploy, queue_server, samples_queue):
    """The functions with the demo credentials, which the sample events are made with."""
    return deploy(
        "demo",
        {
            provider: {
                "AWS_ENDPOINT_URL": queue_server.endpoint,
                "QUEUE_URL": samples_queue.url,
                "CREDENTIALS": demo_credentials(provider),
            }
            for provider in PROVIDERS
        },
    )


@pytest.mark.parametrize("provider, path, status", samples())
def test_invoke_with_a_sample(demo, samples_queue, provider, path, status):
    samples_queue.drain()
    response = demo.invoke(provider, path)
    assert response["statusCode"] == status, response
    queued = samples_queue.drain()
    assert len(queued) <= (status < 300)
    for message in queued:
        assert json.loads(message["Body"])["source"].startswith(f"/{provider}/")


def test_watch_starts_a_function_and_routes_to_it(
    binaries, directory, settings, senders, queue_server, queues
):
    environment = base_environment() | settings("github", queue_server.endpoint, queues["github"].url)
    gateway = Gateway(directory, "watch", "--ignore-changes", environment=environment)
    try:
        queues["github"].drain()
        for source, path in [("default", "/github"), ("legacy", "/github/legacy")]:
            # The first delivery waits for cargo, which has nothing to build.
            request = senders.of("github", source).build_request()
            response = gateway.send(path, request, timeout=300)
            assert response.status_code == 202, gateway.process.text()
            message = json.loads(queues["github"].one()["Body"])
            assert message["source"] == f"/github/{source}"
    finally:
        gateway.stop()
