"""Makes the pictures of the page that the README shows. Run by `make screenshots`."""

import shutil
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from letterbox import DEMO, PLATFORMS, ROOT, Letterbox, chromium, credentials
from stack import GITHUB, Stack, StackPage, ago, local_aws, push, records

IMAGES = ROOT / "docs/images"
DESKTOP = {"viewport": {"width": 1280, "height": 800}, "locale": "en-GB"}
PHONE = {
    "viewport": {"width": 390, "height": 844},
    "locale": "zh-CN",
    "device_scale_factor": 2,
    "is_mobile": True,
}
DELIVERIES = [
    ("github", "ping"),
    ("dingtalk", "check_url"),
    ("dingtalk", "bpms_instance_change"),
    ("payment", "charge.succeeded", "--source", "stripe"),
    ("opencard", "scenic_spot"),
    ("github", "push"),
    ("dingtalk", "chat_add_member"),
    ("payment", "payment_success"),
    ("opencard", "location"),
    ("github", "push", "--source", "rotating"),
    ("dingtalk", "attendance_check_record", "--source", "strict"),
    ("payment", "payment_refunded", "--source", "refunds"),
    ("opencard", "scenic_spot"),
    ("github", "push"),
    ("dingtalk", "user_add_org"),
]


def seed(letterbox: Letterbox, directory: Path) -> dict[str, int]:
    """Sends deliveries of all kinds; returns the numbers of those in the pictures."""
    wrong = {"dingtalk": {"default": DEMO["dingtalk"]["default"] | {"owner_key": "dingsomeoneelse"}}}
    for delivery in DELIVERIES[:6]:
        letterbox.send(*delivery)
    wrong = credentials(directory / "wrong.json", **wrong)
    refused = letterbox.send("dingtalk", "user_add_org", *wrong, is_refused=True)
    for delivery in DELIVERIES[6:]:
        letterbox.send(*delivery)
    return {"refused": refused, "newest": letterbox.newest()}


# Minutes ago, provider, type of the event.
ARCHIVED = [
    (4, "payment", "charge.succeeded"),
    (9, "github", "pull_request"),
    (15, "feishu", "im.message.receive_v1"),
    (22, "dingtalk", "bpms_instance_change"),
    (37, "payment", "charge.refunded"),
    (41, "github", "issues"),
    (48, "slack", "app_mention"),
    (55, "payment", "charge.succeeded"),
    (63, "dingtalk", "user_add_org"),
    (71, "github", "push"),
    (90, "github", "release"),
    (114, "payment", "charge.succeeded"),
]


def seed_archive(stack: Stack) -> None:
    """Archives deliveries of all kinds, the third one refused."""
    accepted = []
    for minutes, provider, kind in ARCHIVED:
        request = PLATFORMS[provider].new_senders()["default"].build_request()
        event = records.cloud_event(provider, f"event-{minutes}", ago(minutes=minutes), kind)
        accepted.append(records.record(provider, request, ago(minutes=minutes), "queued", event=event))
    refused = [push(GITHUB.new(), ago(minutes=11 + n), n, "refused", "signature_mismatch") for n in range(3)]
    stack.archive(*accepted, *refused)


def take_stack(browser: Browser, name: str, served: StackPage, **options) -> None:
    """Takes a picture of a refused delivery in the archive of a stack."""
    page: Page = browser.new_page(**options)
    page.goto(served.url)
    page.locator("#rows a.line").nth(2).click()
    expect(page.locator("#delivery .cause")).to_be_visible()
    page.screenshot(path=IMAGES / name)
    page.close()


def take(browser: Browser, name: str, url: str, **options) -> None:
    """Takes a picture of the page as it first appears."""
    page: Page = browser.new_page(**options)
    page.goto(url)
    expect(page.locator("#live")).to_have_class("on")
    page.screenshot(path=IMAGES / name)
    page.close()


def main() -> None:
    IMAGES.mkdir(exist_ok=True)
    directory = Path(tempfile.mkdtemp(prefix="letterbox-"))
    letterbox = Letterbox(directory)
    try:
        shown = seed(letterbox, directory)
        opened, refused = (f"{letterbox.url}/deliveries/{shown[name]}" for name in ("newest", "refused"))
        with chromium() as browser:
            take(browser, "page-light.png", opened, color_scheme="light", **DESKTOP)
            take(browser, "page-dark.png", refused, color_scheme="dark", **DESKTOP)
            take(browser, "page-phone.png", opened, color_scheme="light", **PHONE)
    finally:
        letterbox.stop()
        shutil.rmtree(directory)
    with local_aws() as aws, chromium() as browser:
        stack = Stack(aws, "letterbox")
        seed_archive(stack)
        served = StackPage(aws.directory, stack)
        try:
            take_stack(browser, "page-stack.png", served, color_scheme="light", **DESKTOP)
        finally:
            served.stop()


if __name__ == "__main__":
    main()
