"""A rotated secret works without a deployment."""

import json

from platforms import github


def test_a_rotated_secret_works_without_a_deployment(letterbox, senders):
    vault, secret = letterbox.aws.client("secretsmanager"), letterbox.outputs()["GithubCredentialsSecret"]
    old, new = senders["github"], github.Hook.new()

    def put(*hooks):
        text = json.dumps({"default": [hook.credentials for hook in hooks]})
        vault.put_secret_value(SecretId=secret, SecretString=text)

    assert letterbox.send("github", old.letter()).status_code == 202
    put(new, old)
    try:
        assert letterbox.send("github", new.letter()).status_code == 202
        assert letterbox.send("github", old.letter()).status_code == 202
        assert len(letterbox.queue().drain()) == 3
    finally:
        put(old)
