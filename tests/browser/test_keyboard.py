"""The page can be used with the keyboard alone."""

from playwright.sync_api import Page, expect


def focus_by_tab(page: Page, selector: str) -> None:
    """Presses Tab until the element has the focus."""
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"{selector} is not reached")


def test_through_the_list_and_back(letterbox, browse):
    for number in (1, 2, 3):
        assert letterbox.send("github") == number
    page = browse(letterbox.url)
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the deliveries")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    focus_by_tab(page, "#row-3")

    for key, focused in [
        ("ArrowDown", 2),
        ("j", 1),
        ("j", 1),
        ("k", 2),
        ("ArrowUp", 3),
        ("ArrowUp", 3),
        ("j", 2),
    ]:
        page.keyboard.press(key)
        expect(page.locator(f"#row-{focused}")).to_be_focused()
    assert page.locator("#row-2").evaluate("row => getComputedStyle(row).outlineStyle") == "solid"

    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=2)).to_have_text("Delivery 2 queued")
    expect(page.locator("#delivery")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Redeliver")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#delivery")).to_be_hidden()
    expect(page).to_have_url(f"{letterbox.url}/deliveries")
    expect(page.locator("#row-2")).to_be_focused()


def test_j_and_k_from_anywhere(letterbox, browse):
    for number in (1, 2, 3):
        assert letterbox.send("github") == number
    page = browse(letterbox.url)
    for key, focused in [("j", 3), ("j", 2)]:
        page.keyboard.press(key)
        expect(page.locator(f"#row-{focused}")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#delivery")).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(page.locator("#delivery")).to_be_focused()
    page.keyboard.press("k")
    expect(page.locator("#row-3")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=2)).to_have_text("Delivery 3 queued")


def test_a_list_that_is_read_again_keeps_the_focus(letterbox, browse):
    for number in (1, 2):
        assert letterbox.send("github") == number
    page = browse(letterbox.url)
    held = []
    page.route("**/deliveries?outcome=queued", lambda route: held.append(route))
    page.get_by_role("combobox", name="Outcome").select_option("queued")
    while not held:
        page.wait_for_timeout(10)
    page.locator("#row-1").focus()
    held.pop().continue_()
    expect(page).to_have_url(f"{letterbox.url}/deliveries?outcome=queued")
    expect(page.locator("#row-1")).to_be_focused()


def test_the_search_and_its_letters(letterbox, browse):
    letterbox.send("github")
    letterbox.send("payment")
    page = browse(letterbox.url)
    page.keyboard.press("/")
    search = page.get_by_role("searchbox", name="Text")
    expect(search).to_be_focused()
    page.keyboard.type("/payment j k")
    expect(search).to_have_value("/payment j k")
    expect(page.locator("#rows > a")).to_have_count(0)
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("payment_success")
    expect(page.locator("#rows > a")).to_have_count(1)
    expect(search).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#rows > a")).to_have_count(1)


def test_a_sample_by_keys_alone(letterbox, browse):
    page = browse(letterbox.url)
    focus_by_tab(page, "#send summary")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Send")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Send")).to_be_hidden()
    page.keyboard.press("Enter")
    focus_by_tab(page, "#send select[name=sample]")
    focus_by_tab(page, "#send button")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=2)).to_have_text("Delivery 1 queued")


def test_without_a_list_line_escape_still_leads_back(letterbox, browse):
    letterbox.send("github")
    page = browse(f"{letterbox.url}/deliveries/1?provider=payment")
    expect(page.locator("#rows > a")).to_have_count(0)
    page.keyboard.press("Escape")
    expect(page.locator("#delivery")).to_be_hidden()
    expect(page).to_have_url(f"{letterbox.url}/deliveries?provider=payment")
