"""A page that other machines can reach requires a token."""

import re

import pytest
from playwright.sync_api import expect

TOKEN = "0123456789abcdef-and-more"


@pytest.fixture
def guarded(serve):
    return serve("--listen", "0.0.0.0", "--token", TOKEN, token=TOKEN)


def test_the_token_gives_access(guarded, browse):
    page = browse(guarded.url, is_live=False, expected="401")
    expect(page.get_by_role("heading", level=2)).to_have_text("Token required")
    assert page.locator("#list").count() == 0
    field = page.get_by_label("Token")
    expect(field).to_be_focused()
    field.fill("fedcba9876543210-and-more")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("alert")).to_have_text("The token is not correct.")
    page.get_by_label("Token").fill(TOKEN)
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{guarded.url}/")
    expect(page.locator("#live")).to_have_class("on")

    guarded.send("github")
    expect(page.locator("#rows > a")).to_have_count(1)
    page.locator("#row-1").click()
    page.get_by_role("button", name="Redeliver").click()
    expect(page.get_by_role("heading", level=2)).to_have_text("Delivery 2 queued")
    [cookie] = [cookie for cookie in page.context.cookies() if cookie["name"] == "letterbox_token"]
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")


def test_the_printed_url_gives_access(serve, browse):
    letterbox = serve("--listen", "0.0.0.0", token="not known yet")
    token = re.search(r"\?token=([0-9a-f]{32})$", letterbox.page_url)[1]
    page = browse(letterbox.page_url)
    expect(page).to_have_url(f"{letterbox.url}/")
    letterbox.session.headers["Authorization"] = f"Bearer {token}"
    letterbox.send("payment")
    expect(page.locator("#rows > a")).to_have_count(1)


def test_an_open_page_reconnects_once_its_token_is_valid_again(guarded, browse):
    page = browse(f"{guarded.url}/?token={TOKEN}", expected="401|ERR_")
    live = page.locator("#live")
    usual = guarded.options
    with page.expect_response(lambda response: response.status == 401):
        guarded.stop()
        guarded.options = ("--listen", "0.0.0.0", "--token", "fedcba9876543210-and-more")
        guarded.start(guarded.port)
    expect(live).to_have_class("off")
    guarded.stop()
    guarded.options = usual
    guarded.start(guarded.port)
    expect(live).to_have_class("on")
    guarded.send("github")
    expect(page.locator("#rows > a")).to_have_count(1)


def test_a_wrong_url_gives_no_access(guarded, browse):
    page = browse(f"{guarded.url}/?token=fedcba9876543210-and-more", is_live=False, expected="401")
    expect(page.get_by_role("alert")).to_have_text("The token is not correct.")
    expect(page.get_by_label("Token")).to_have_value("")
    page = browse(f"{guarded.url}/", is_live=False, expected="401", locale="zh-CN")
    expect(page.get_by_role("heading", level=2)).to_have_text("请输入令牌")


def test_without_it_nothing_is_shown(guarded):
    guarded.send("github")
    del guarded.session.headers["Authorization"]
    # Refused before its body is read, a POST can end the connection while the next one is already on it.
    guarded.session.headers["Connection"] = "close"
    for path in (
        "/",
        "/deliveries/1",
        "/deliveries/1/body",
        "/deliveries/1/event",
        "/deliveries/live",
        "/language/zh",
    ):
        response = guarded.get(path)
        assert response.status_code == 401 and "push" not in response.text
    for path in ("/deliveries/1/redeliver", "/deliveries/send"):
        assert guarded.session.post(guarded.url + path, data={"sample": "github/push"}).status_code == 401
    # Platforms need no token.
    assert guarded.session.post(f"{guarded.url}/github", data=b"{}").status_code == 401
    assert guarded.get("/healthz").status_code == 200


def test_a_token_that_could_be_guessed_is_an_error(letterbox):
    done = letterbox.run("serve", "--port", "0", "--token", "short")
    assert (
        done.returncode == 2 and "at least 16" in done.stderr and "short" not in done.stderr.split("error")[0]
    )
