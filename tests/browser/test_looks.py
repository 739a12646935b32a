"""Phone and desktop, light and dark: everything fits, is legible, and has a name."""

import re

import pytest
from playwright.sync_api import Page, expect

from letterbox import SAMPLES

PHONE = {
    "viewport": {"width": 390, "height": 844},
    "is_mobile": True,
    "has_touch": True,
    "device_scale_factor": 2,
}

# Each visible text, with its colour and its background.
TEXTS = """() => {
  const seen = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const ground = (element) => {
    for (; element; element = element.parentElement) {
      const colour = getComputedStyle(element).backgroundColor;
      if (colour !== "rgba(0, 0, 0, 0)") return colour;
    }
  };
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !element.checkVisibility()) continue;
    seen.push([walker.currentNode.data.trim(), getComputedStyle(element).color, ground(element)]);
  }
  for (const field of document.querySelectorAll("input[placeholder]")) {
    seen.push([field.placeholder, getComputedStyle(field, "::placeholder").color, ground(field)]);
  }
  return seen;
}"""


def luminance(colour: str) -> float:
    """The contrast as WCAG 2 defines it."""
    channels = [
        int(channel) / 255 for channel in re.fullmatch(r"rgb\((\d+), (\d+), (\d+)\)", colour).groups()
    ]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(text: str, ground: str) -> float:
    dark, light = sorted([luminance(text), luminance(ground)])
    return (light + 0.05) / (dark + 0.05)


def expect_legible(page: Page) -> None:
    texts = page.evaluate(TEXTS)
    assert len(texts) > 30
    assert [text for text in texts if contrast(*text[1:]) < 4.5] == []


@pytest.fixture
def every_outcome(letterbox):
    """A delivery that was queued, one that was answered and one that was refused."""
    assert letterbox.send("dingtalk") == 1
    assert letterbox.send("dingtalk", "check_url") == 2
    assert letterbox.post("/github", b"{}") == 3
    return letterbox


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_texts_are_legible(every_outcome, browse, scheme):
    page = browse(every_outcome.url, color_scheme=scheme)
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (luminance(ground) > 0.5) == (scheme == "light")
    assert {word.strip() for word in page.locator("#rows .outcome").all_inner_texts()} == {
        "queued",
        "answered",
        "refused",
    }
    expect_legible(page)
    page.get_by_text("Send sample").click()
    for number in (3, 2, 1):
        page.goto(f"{every_outcome.url}/deliveries/{number}")
        page.get_by_text("Headers", exact=True).hover()
        expect_legible(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_rare_outcomes_are_legible(letterbox, browse, scheme):
    page = browse(letterbox.url, color_scheme=scheme)
    letterbox.send("github")
    expect(page.locator("#rows > a")).to_have_count(1)
    for outcome in ("failed", "unqueued"):
        page.locator("#rows .outcome").evaluate(
            "(word, outcome) => { word.className = `outcome ${outcome}`; }", outcome
        )
        expect_legible(page)


def expect_no_scrolling_sideways(page: Page) -> None:
    assert page.evaluate("[innerWidth, document.documentElement.scrollWidth]") == [390, 390]


def test_on_a_phone_list_and_delivery_take_turns(letterbox, browse):
    page = browse(letterbox.url, **PHONE)
    expect_no_scrolling_sideways(page)
    for number, provider in enumerate(SAMPLES, 1):
        assert letterbox.send(provider) == number
    last = len(SAMPLES) + 1
    assert letterbox.post("/github/" + "a-long-name" * 5, b"{}" * 500, {"X-Long": "x" * 500}) == last
    rows = page.locator("#rows > a")
    expect(rows).to_have_count(last)
    expect_no_scrolling_sideways(page)
    assert all(box["height"] >= 40 for box in [row.bounding_box() for row in rows.all()])

    for number in range(1, last + 1):
        page.locator(f"#row-{number}").tap()
        expect(page.get_by_role("heading", level=2)).to_contain_text(f"Delivery {number}")
        expect(page.locator("#list")).to_be_hidden()
        expect_no_scrolling_sideways(page)
        page.get_by_role("link", name="Back to the list").tap()
        expect(rows.first).to_be_visible()
        expect(page.locator("#delivery")).to_be_hidden()

    page.locator("#row-1").tap()
    expect(rows.first).to_be_hidden()
    page.go_back()
    expect(rows.first).to_be_visible()
    page.get_by_text("Send sample").tap()
    expect(page.get_by_role("button", name="Send")).to_be_in_viewport()
    expect_no_scrolling_sideways(page)


def test_on_a_phone_an_opened_delivery_begins_at_its_top(letterbox, browse):
    for _ in range(30):
        letterbox.post("/github", b"{}")
    page = browse(letterbox.url, **PHONE)
    page.locator("#row-1").tap()
    expect(page.get_by_role("heading", level=2)).to_have_text("Delivery 1 refused")
    expect(page.get_by_role("heading", level=2)).to_be_in_viewport()
    page.get_by_role("link", name="Back to the list").tap()
    expect(page.locator("#row-1")).to_be_in_viewport()


NAMED = {"button", "link", "textbox", "searchbox", "combobox", "image", "region", "search"}


def expect_well_formed(page: Page) -> None:
    """The names and headings that a screen reader announces: each control has a name, headings are in order, ids are unique."""
    tree = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")["nodes"]
    announced = [
        (node["role"]["value"], node.get("name", {}).get("value", "")) for node in tree if not node["ignored"]
    ]
    assert [role for role, name in announced if role in NAMED and not name.strip()] == []
    assert {"link", "combobox", "searchbox", "button"} <= {role for role, _ in announced}

    levels = page.locator("h1, h2, h3, h4, h5, h6").evaluate_all(
        "headings => headings.filter(h => h.checkVisibility()).map(h => Number(h.tagName[1]))"
    )
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in zip(levels, levels[1:], strict=False))
    ids = page.locator("[id]").evaluate_all("elements => elements.map(element => element.id)")
    assert len(ids) == len(set(ids))
    assert page.title()


def test_every_control_has_a_name_and_headings_are_in_order(every_outcome, browse):
    page = browse(every_outcome.url)
    page.get_by_text("Send sample").click()
    expect_well_formed(page)
    for number in (1, 2, 3):
        page.goto(f"{every_outcome.url}/deliveries/{number}")
        expect_well_formed(page)
    every_outcome.send("github")
    expect(page.locator("#rows").get_by_role("link")).to_have_count(4)
    expect_well_formed(page)
