"""Makes the pictures of the page that the README shows. Run by `make screenshots`."""

import shutil
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from letterbox import DEMO, ROOT, Letterbox, chromium, credentials

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


if __name__ == "__main__":
    main()
