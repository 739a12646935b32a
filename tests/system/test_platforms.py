"""Every function has a platform module, and a module that lacks a member is named with what it lacks."""

import pytest

import platforms
from servers import PROVIDERS, ROOT


def test_every_function_has_a_platform():
    assert PROVIDERS == sorted(path.parent.name for path in ROOT.glob("functions/*/Cargo.toml"))


@pytest.mark.parametrize("member", platforms.MEMBERS)
def test_a_missing_member_is_named(monkeypatch, member):
    provider = PROVIDERS[0]
    monkeypatch.delattr(platforms.PLATFORMS[provider], member)
    with pytest.raises(ImportError, match=rf"platforms/{provider}\.py must define\n  {member}: "):
        platforms.find_platforms()


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_platform_has_the_sources_that_every_test_uses(senders, provider):
    assert senders.of(provider, "default").credentials
    assert len(senders.of(provider, "rotating")) == 2
