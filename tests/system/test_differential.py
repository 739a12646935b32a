"""Letterbox and outside implementations open the same messages, and refuse the same."""

import pytest

import differential


@pytest.mark.parametrize("name", differential.comparisons())
def test_both_sides_have_the_same_verdict(name):
    found = differential.comparisons()[name]()
    assert found.wrong == [], f"{len(found.wrong)} of {differential.NUMBER}; the first: {found.wrong[0]}"
    # A comparison in which one side refuses everything would show nothing.
    assert found.counts["both accept"] > differential.NUMBER / 20
    assert found.counts["both refuse"] > differential.NUMBER / 20
    for kind, count in sorted(found.counts.items()):
        print(f"{name}: {count} {kind}")
