"""Deliveries appear automatically on an open page."""

import re

import pytest
from playwright.sync_api import expect

from letterbox import PLATFORMS, SAMPLES


@pytest.mark.parametrize("provider", SAMPLES)
def test_a_delivery_appears_at_the_top_without_a_reload(letterbox, browse, provider):
    page = browse(letterbox.url)
    expect(page.get_by_text("No deliveries yet.")).to_be_visible()
    page.evaluate("window.isTheSamePage = true")

    first = letterbox.send(provider)
    row = page.locator("#rows > a").first
    expect(row).to_have_id(f"row-{first}")
    expect(row).to_have_accessible_name(re.compile(rf"queued 20[02] {provider} default "))
    expect(row.locator(".outcome")).to_have_text("queued")
    expect(row.locator(".provider")).to_have_text(provider)
    expect(row.locator(".source")).to_have_text("default")
    expect(row.locator(".status")).to_have_text(str(PLATFORMS[provider].STATUS))
    expect(row.locator("time")).to_have_text(re.compile(r"^\d\d:\d\d:\d\d$"))
    expect(page.get_by_text("No deliveries yet.")).to_have_count(0)
    counts = page.locator("#totals .counts li")
    expect(counts).to_have_text([re.compile(r"1\s+all"), re.compile(r"1\s+queued")])
    expect(page.locator("#totals svg rect")).to_have_count(1)
    expect(page.locator("#totals figcaption")).to_have_text(
        re.compile(r"Latency: median [\d.]+ ms, 95 % [\d.]+ ms")
    )

    second = letterbox.post(f"/{provider}", b"{}")
    expect(page.locator("#rows > a")).to_have_count(2)
    expect(row).to_have_id(f"row-{second}")
    expect(row.locator(".outcome")).to_have_text("refused")
    expect(counts).to_have_text(
        [re.compile(r"2\s+all"), re.compile(r"1\s+queued"), re.compile(r"1\s+refused")]
    )
    expect(page.locator("#totals svg rect")).to_have_count(2)
    newer = page.locator("#totals svg rect.refused").bounding_box()
    older = page.locator("#totals svg rect.queued").bounding_box()
    assert newer["x"] > older["x"]
    assert page.evaluate("window.isTheSamePage")


def test_the_shown_delivery_stays_open(letterbox, browse):
    first = letterbox.send("github")
    page = browse(f"{letterbox.url}/deliveries/{first}")
    second = letterbox.send("payment")
    expect(page.locator("#rows > a").first).to_have_id(f"row-{second}")
    expect(page.locator("#delivery h2")).to_contain_text(f"Delivery {first}")
    expect(page.locator("a[aria-current]")).to_have_id(f"row-{first}")


def test_many_deliveries_at_once_all_appear_in_order(letterbox, browse):
    page = browse(letterbox.url)
    done = letterbox.run("send", "github", "push", "--to", letterbox.url, "--repeat", "150")
    assert done.returncode == 0, done.stdout
    rows = page.locator("#rows > a")
    expect(rows).to_have_count(150)
    shown = rows.evaluate_all("rows => rows.map(row => Number(row.id.slice(4)))")
    assert shown == list(range(150, 0, -1))
    expect(page.locator("#totals .counts li").first).to_have_text(re.compile(r"150\s+all"))

    page.reload()
    expect(rows).to_have_count(100)
    page.get_by_role("link", name="Older").click()
    expect(rows).to_have_count(50)
    expect(rows.first).to_have_id("row-50")
    # New deliveries are not added there.
    expect(page.locator("#live")).to_have_text("")
    page.get_by_role("link", name="Newest").click()
    expect(rows.first).to_have_id("row-150")


def test_times_are_the_readers(letterbox, browse):
    letterbox.send("github")
    page = browse(letterbox.url)
    hour = int(page.locator("#rows time").get_attribute("datetime")[11:13])
    # These names have inverted signs. Here it is the hour after midnight.
    here = browse(
        letterbox.url,
        timezone_id=f"Etc/GMT{hour:+}" if hour <= 12 else f"Etc/GMT-{24 - hour}",
        locale="en-US",
    )
    expect(here.locator("#rows time")).to_have_text(re.compile("^00:"))
