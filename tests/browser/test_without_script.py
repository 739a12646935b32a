"""The page without JavaScript: everything except live updates."""

from functools import partial

import pytest
from playwright.sync_api import expect


@pytest.fixture
def browse_plainly(browse):
    return partial(browse, is_live=False, java_script_enabled=False)


def test_list_filter_and_delivery(letterbox, browse_plainly):
    letterbox.send("github")
    letterbox.send("payment")
    page = browse_plainly(letterbox.url)
    expect(page.get_by_text("needs JavaScript to be live")).to_be_visible()
    expect(page.locator("#rows > a")).to_have_count(2)

    form = page.locator("#filter")
    form.get_by_label("Provider").select_option("github")
    form.get_by_role("button", name="Filter").click()
    expect(page.locator("#rows > a")).to_have_count(1)
    page.locator("#row-1").click()
    expect(page.get_by_role("heading", level=2)).to_have_text("Delivery 1 queued")
    expect(page.locator("#rows > a")).to_have_count(1)
    page.get_by_role("link", name="Reset").click()
    expect(page.locator("#rows > a")).to_have_count(2)


def test_redeliver_send_and_copy(letterbox, browse_plainly):
    letterbox.send("github")
    # Chromium requests an icon for a page that is not HTML.
    page = browse_plainly(f"{letterbox.url}/deliveries/1", expected="favicon.ico")
    page.get_by_role("button", name="Redeliver").click()
    expect(page.get_by_role("heading", level=2)).to_have_text("Delivery 2 queued")

    page.get_by_text("Send sample").click()
    page.locator("#send").get_by_label("Sample").select_option("payment/payment_success")
    page.locator("#send").get_by_role("button", name="Send").click()
    expect(page.get_by_role("heading", level=2)).to_have_text("Delivery 3 queued")
    expect(page.locator(".facts")).to_contain_text("payment/default")
    page.get_by_role("link", name="Copy as curl").click()
    expect(page.locator("body")).to_contain_text("curl --silent")


def test_a_source_of_another_provider_is_an_error(letterbox, browse_plainly):
    page = browse_plainly(letterbox.url, expected="400")
    page.get_by_text("Send sample").click()
    form = page.locator("#send form")
    form.get_by_label("Sample").select_option("payment/payment_success")
    form.get_by_label("Source").select_option("suite")
    form.get_by_role("button", name="Send").click()
    expect(page.get_by_role("alert")).to_contain_text("suite")


def test_the_language_link(letterbox, browse_plainly):
    letterbox.send("github")
    page = browse_plainly(f"{letterbox.url}/deliveries/1?provider=github")
    page.get_by_role("link", name="中文").click()
    expect(page.locator("html")).to_have_attribute("lang", "zh")
    expect(page).to_have_url(f"{letterbox.url}/deliveries/1?provider=github")
