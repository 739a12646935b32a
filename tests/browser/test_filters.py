"""The list shows the deliveries that match the filter, and the URL contains the filter."""

import pytest
from playwright.sync_api import Page, expect

from letterbox import credentials


@pytest.fixture
def mixed(letterbox, tmp_path):
    """Deliveries of every kind, by number."""
    wrong = credentials(tmp_path / "wrong.json", github={"default": {"secret": "another"}})
    payload = '{"action":"opened","repository":{"full_name":"acme/needle"}}'
    assert letterbox.send("dingtalk") == 1
    assert letterbox.send("dingtalk", "check_url", "--source", "suite") == 2
    assert letterbox.send("opencard") == 3
    assert letterbox.send("github", "issues", data=payload) == 4
    assert letterbox.send("github", "push", *wrong, is_refused=True) == 5
    assert letterbox.send("payment", "charge.succeeded", "--source", "stripe") == 6
    return letterbox


def expect_rows(page: Page, *numbers: int) -> None:
    expect(page.locator("#rows > a")).to_have_count(len(numbers))
    for position, number in enumerate(numbers):
        expect(page.locator("#rows > a").nth(position)).to_have_id(f"row-{number}")


CASES = {
    "provider": ("Provider", "github", "provider=github", [5, 4]),
    "source": ("Source", "sui", "source=sui", [2]),
    "outcome": ("Outcome", "answered", "outcome=answered", [2]),
    "refused": ("Outcome", "refused", "outcome=refused", [5]),
    "type": ("Type", "user_add", "type=user_add", [1]),
    "text in a body": ("Text", "NEEDLE", "q=NEEDLE", [4]),
    "text in a header": ("Text", "hookshot", "q=hookshot", [5, 4]),
    "text that was encrypted": ("Text", "故宫", "q=%E6%95%85%E5%AE%AB", [3]),
}


def choose(page: Page, label: str, value: str) -> None:
    field = page.locator("#filter").get_by_label(label)
    if label in ("Provider", "Outcome"):
        field.select_option(value)
    else:
        field.press_sequentially(value)


@pytest.mark.parametrize("label, value, query, numbers", CASES.values(), ids=CASES)
def test_each_filter_narrows(mixed, browse, label, value, query, numbers):
    page = browse(mixed.url)
    expect_rows(page, 6, 5, 4, 3, 2, 1)
    choose(page, label, value)
    expect_rows(page, *numbers)
    expect(page).to_have_url(f"{mixed.url}/deliveries?{query}")
    page.reload()
    expect_rows(page, *numbers)
    expect(page.locator("#filter").get_by_label(label)).to_have_value(value)


def test_only_matching_deliveries_arrive(mixed, browse):
    page = browse(mixed.url)
    choose(page, "Provider", "github")
    expect_rows(page, 5, 4)
    expect(page.locator("#live")).to_have_class("on")
    assert mixed.send("payment") == 7
    expect(page.locator("#totals strong").first).to_have_text("7")
    expect_rows(page, 5, 4)
    assert mixed.send("github") == 8
    expect_rows(page, 8, 5, 4)
    page.locator("#row-8").click()
    expect(page).to_have_url(f"{mixed.url}/deliveries/8?provider=github")


def test_filters_combine_and_can_be_reset(mixed, browse):
    page = browse(mixed.url)
    choose(page, "Provider", "github")
    expect_rows(page, 5, 4)
    choose(page, "Outcome", "refused")
    expect_rows(page, 5)
    choose(page, "Type", "nothing")
    expect_rows(page)
    expect(page.get_by_text("No delivery matches the filter.")).to_be_visible()
    page.get_by_role("link", name="Reset").click()
    expect_rows(page, 6, 5, 4, 3, 2, 1)
    expect(page).to_have_url(f"{mixed.url}/deliveries")
    expect(page.locator("#filter").get_by_label("Provider")).to_have_value("")
    expect(page.get_by_role("link", name="Reset")).to_have_count(0)


def test_back_and_forward_keep_list_and_form(mixed, browse):
    page = browse(mixed.url)
    choose(page, "Provider", "github")
    expect_rows(page, 5, 4)
    page.locator("#row-4").click()
    expect(page.get_by_role("heading", level=2)).to_contain_text("Delivery 4")
    choose(page, "Provider", "dingtalk")
    expect_rows(page, 2, 1)
    expect(page).to_have_url(f"{mixed.url}/deliveries/4?provider=dingtalk")
    provider = page.locator("#filter").get_by_label("Provider")

    page.go_back()
    expect_rows(page, 5, 4)
    expect(page.get_by_role("heading", level=2)).to_contain_text("Delivery 4")
    expect(provider).to_have_value("github")
    page.go_back()
    expect(page.locator("#delivery")).to_be_hidden()
    expect_rows(page, 5, 4)
    page.go_back()
    expect_rows(page, 6, 5, 4, 3, 2, 1)
    expect(provider).to_have_value("")
    page.go_forward()
    expect_rows(page, 5, 4)
    expect(provider).to_have_value("github")

    # Live updates use the filter in the form.
    choose(page, "Outcome", "refused")
    expect_rows(page, 5)
    expect(page).to_have_url(f"{mixed.url}/deliveries?provider=github&outcome=refused")


def test_sending_a_sample_keeps_the_filter(mixed, browse):
    page = browse(mixed.url)
    choose(page, "Provider", "dingtalk")
    expect_rows(page, 2, 1)
    page.get_by_text("Send sample").click()
    page.get_by_role("button", name="Send").click()
    expect(page).to_have_url(f"{mixed.url}/deliveries/7?provider=dingtalk")
    expect_rows(page, 7, 2, 1)


def test_a_count_links_to_its_deliveries(mixed, browse):
    page = browse(mixed.url)
    page.locator("#totals").get_by_role("link", name="refused").click()
    expect(page).to_have_url(f"{mixed.url}/deliveries?outcome=refused")
    expect_rows(page, 5)
