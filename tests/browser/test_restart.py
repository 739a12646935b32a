"""The page continues after a restart of the server."""

import re

from playwright.sync_api import expect

# Chromium's own message about a closed connection.
ENDED = "net::ERR_"


def test_a_restart_keeps_the_list_and_the_open_page(letterbox, browse):
    for number in (1, 2):
        assert letterbox.send("github") == number
    page = browse(f"{letterbox.url}/deliveries/1", expected=ENDED)
    page.evaluate("window.isTheSamePage = true")

    letterbox.stop()
    assert "letterbox: ended" in letterbox.output()
    expect(page.locator("#live")).to_have_class("off")
    expect(page.locator("#live")).to_have_text("connection lost, reconnecting")
    letterbox.start(letterbox.port)
    # One delivery before the page has reconnected, and one after.
    assert letterbox.send("payment") == 3
    expect(page.locator("#live")).to_have_class("on")
    assert letterbox.send("dingtalk") == 4
    rows = page.locator("#rows > a")
    expect(rows).to_have_count(4)
    assert rows.evaluate_all("rows => rows.map(row => row.id)") == ["row-4", "row-3", "row-2", "row-1"]
    expect(page.get_by_role("heading", level=2)).to_have_text("Delivery 1 queued")
    assert page.evaluate("window.isTheSamePage")

    fresh = browse(letterbox.url)
    expect(fresh.locator("#rows > a")).to_have_count(4)
    expect(fresh.locator("#totals .counts li").first).to_have_text(re.compile(r"4\s+all"))
    fresh.locator("#row-2").click()
    fresh.get_by_role("button", name="Redeliver").click()
    expect(fresh.get_by_role("heading", level=2)).to_have_text("Delivery 5 queued")


def test_after_a_restart_only_new_deliveries_arrive(letterbox, browse):
    done = letterbox.run("send", "github", "push", "--to", letterbox.url, "--repeat", "120")
    assert done.returncode == 0, done.stdout
    letterbox.stop()
    letterbox.start()
    page = browse(letterbox.url)
    rows = page.locator("#rows > a")
    expect(rows).to_have_count(100)
    assert letterbox.send("payment") == 121
    expect(rows).to_have_count(101)
    assert rows.evaluate_all("rows => rows.map(row => Number(row.id.slice(4)))") == list(range(121, 20, -1))


def test_the_history_is_bounded(serve, browse):
    letterbox = serve("--keep", "3")
    for number in range(1, 6):
        assert letterbox.send("payment") == number
    page = browse(letterbox.url)
    expect(page.locator("#rows > a")).to_have_count(3)
    expect(page.locator("#totals .counts li").first).to_have_text(re.compile(r"3\s+all"))
