"""English and Chinese: the language of the browser, or the one that the user chose."""

import re

import pytest
from playwright.sync_api import expect


@pytest.mark.parametrize(
    "locale, tag, title, outcome",
    [
        ("en-GB", "en", "Recent deliveries", "queued"),
        ("fr-FR", "en", "Recent deliveries", "queued"),
        ("zh-CN", "zh", "最近的投递", "已入队"),
    ],
)
def test_the_browsers_language(letterbox, browse, locale, tag, title, outcome):
    page = browse(letterbox.url, locale=locale)
    expect(page.locator("html")).to_have_attribute("lang", tag)
    expect(page).to_have_title(f"{title} - Letterbox")
    expect(page.locator("#live")).to_have_text("live" if tag == "en" else "实时")
    # Live deliveries use it as well.
    letterbox.send("github")
    expect(page.locator("#rows .outcome")).to_have_text(outcome)
    expect(page.locator("#totals .counts li").last).to_have_text(re.compile(rf"1\s+{outcome}"))


def test_the_link_changes_the_language_and_keeps_the_place(letterbox, browse):
    letterbox.send("github")
    letterbox.send("dingtalk")
    page = browse(letterbox.url)
    page.locator("#filter").get_by_label("Provider").select_option("github")
    expect(page.locator("#rows > a")).to_have_count(1)
    page.locator("#row-1").click()
    expect(page.get_by_role("heading", level=2)).to_have_text("Delivery 1 queued")

    page.get_by_role("link", name="中文").click()
    expect(page.locator("html")).to_have_attribute("lang", "zh")
    expect(page).to_have_url(f"{letterbox.url}/deliveries/1?provider=github")
    expect(page.get_by_role("heading", level=2)).to_have_text("投递 1 已入队")
    expect(page.locator("#rows > a")).to_have_count(1)
    expect(page.get_by_role("button", name="重新投递")).to_be_visible()
    expect(page.locator(".steps li").first).to_contain_text("请求方法、来源与大小")

    page.goto(letterbox.url)
    expect(page.locator("html")).to_have_attribute("lang", "zh")
    page.get_by_role("link", name="English").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")


def test_the_language_link_never_leaves_the_page(letterbox):
    for back in (
        "//elsewhere.example/",
        "https://elsewhere.example/",
        "/\\elsewhere.example",
        "javascript:alert(1)",
    ):
        response = letterbox.session.get(
            f"{letterbox.url}/language/zh", params={"back": back}, allow_redirects=False
        )
        assert response.headers["Location"] == "/"
