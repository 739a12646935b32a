"""A rotated secret works without a deployment, within each function's own deadline."""

import json

import pytest

from emulator import PAUSE
from servers import PROVIDERS, until


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_rotated_secret_works_without_a_deployment(letterbox, senders, second_senders, provider):
    vault = letterbox.aws.client("secretsmanager")
    secret = letterbox.outputs()[f"{provider.capitalize()}CredentialsSecret"]
    old, new = senders[provider], second_senders[provider]

    def put(*keys):
        text = json.dumps({"default": [key.credentials for key in keys]})
        vault.put_secret_value(SecretId=secret, SecretString=text)

    assert letterbox.send(provider, old.build_request()).ok
    put(new, old)
    try:
        # A refusal in another test may have caused a read just now; the next one is possible after 30 s.
        until(lambda: letterbox.send(provider, new.build_request()).ok, 40, "the new secret", PAUSE)
        request = old.build_request()
        old.acknowledged(letterbox.send(provider, request), request)
        assert len(letterbox.queue().drain()) == 3
    finally:
        put(old)
