"""The page in a real browser, on the demo school of a first start."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.flow.stack import Process, School, Stack, free_port

pytestmark = pytest.mark.servers
SOON_MS = 30_000
# How far the widest button of the warnings stands out of their panel, and how high the highest is.
MEASURED = """() => {
  const boxes = [...document.querySelectorAll("#warnings .actions button")].map((each) => each.getBoundingClientRect());
  const edge = document.querySelector("#warnings-panel").getBoundingClientRect().right;
  return [Math.max(...boxes.map((each) => each.right - edge)), Math.max(...boxes.map((each) => each.height))];
}"""


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A first start with its demo school; the simulator needs a port that is known."""
    process = Process("all", tmp_path_factory.mktemp("demo"), {"ZHENGAI_DEMO": "1"})
    process.port = free_port()
    stack = Stack([process])
    try:
        stack.start()
        yield stack
    finally:
        stack.stop()


@contextmanager
def browser(stack: Stack, **how: object) -> Iterator[Page]:
    """A fresh browser on the page; what it complains of is a failure."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert chromium, "the page is tested in Chromium: install it (Debian: apt install chromium)"
    complaints: list[str] = []
    with sync_playwright() as playwright:
        program = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = program.new_context(locale="zh-CN", **how).new_page()  # type: ignore[arg-type]  # as the browser's own options
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.append(said.text) if "Content Security" in said.text else None)
        page.goto(stack.url)
        yield page
        program.close()
    assert complaints == []


def choose(page: Page, account: str) -> None:
    """Take the demo account of that user name, whatever its role is called in the page's language."""
    page.locator("#demo-accounts button").filter(has=page.locator("small", has_text=re.compile(f"^{account}$"))).click()


def sign_in(page: Page, account: str) -> None:
    choose(page, account)
    expect(page.locator("#live")).to_have_text("实时", timeout=SOON_MS)


def test_within_30_seconds_warnings_and_tasks_arrive_without_a_reload(demo: Stack) -> None:
    with browser(demo) as page:
        sign_in(page, "quality")
        expect(page.locator("#warnings tr").first).to_be_visible(timeout=SOON_MS)
        expect(page.locator("#tasks li").first).to_be_visible(timeout=SOON_MS)
        before = page.locator("#timeline li").first.inner_text()
        expect(page.locator("#timeline li").first).not_to_have_text(before, timeout=SOON_MS)


def test_a_warning_is_acknowledged_and_a_task_started_by_keyboard_alone(demo: Stack) -> None:
    with browser(demo) as page:
        sign_in(page, "head")
        page.locator("#tasks-choice button", has_text="全部").click()
        row = page.locator("#tasks li", has=page.get_by_role("button", name="开始")).last
        expect(row).to_be_visible(timeout=SOON_MS)
        task = page.locator(f'[data-id="{row.get_attribute("data-id")}"]')
        task.get_by_role("button", name="开始").focus()
        page.keyboard.press("Enter")
        expect(page.locator("dialog[open]")).to_be_visible()
        page.locator("#dialog-ok").focus()
        page.keyboard.press("Enter")
        expect(page.locator("dialog[open]")).to_have_count(0)
        expect(task).to_contain_text("进行中", timeout=SOON_MS)


def test_a_task_is_started_with_the_measures_that_were_chosen_and_not_without_any(demo: Stack) -> None:
    with browser(demo) as page:
        sign_in(page, "head")
        page.locator("#tasks-choice button", has_text="全部").click()
        row = page.locator("#tasks li", has=page.get_by_role("button", name="开始")).last
        expect(row).to_be_visible(timeout=SOON_MS)
        id_ = row.get_attribute("data-id")
        page.locator(f'[data-id="{id_}"]').get_by_role("button", name="开始").click()
        expect(page.locator("dialog[open]")).to_be_visible()
        for box in page.locator("dialog[open] input[type=checkbox]").all():
            box.uncheck()
        page.locator("#dialog-ok").click()
        expect(page.locator("#dialog-error")).to_contain_text("至少")
        page.get_by_label("自拟措施").fill(" 同伴互助 ")
        page.locator("#dialog-ok").click()
        expect(page.locator("dialog[open]")).to_have_count(0)
    assert School(demo, "demo").get(f"planning/improvements/{id_}")["measures"] == ["同伴互助"]


@pytest.mark.parametrize("width", [360, 1051, 1280])
@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_buttons_of_warnings_stand_on_one_line_inside_their_panel(demo: Stack, language: str, width: int) -> None:
    with browser(demo, viewport={"width": width, "height": 900}) as page:
        if language == "en":
            page.locator("#language").click()
        choose(page, "quality")
        button = page.locator("#warnings .actions button").first
        expect(button).to_be_visible(timeout=SOON_MS)
        # Asked in one go: rows come and go meanwhile.
        right, height = page.evaluate(MEASURED)
        assert right <= 0
        assert height < 2 * 20, "two lines of text"


def test_every_account_sees_a_whole_page_and_a_parent_can_change_nothing(demo: Stack) -> None:
    with browser(demo) as page:
        for account in ("leader", "teacher", "student", "parent", "staff"):
            sign_in(page, account)
            expect(page.locator("#trouble")).to_be_hidden()
            expect(page.locator(".figure")).to_have_count(3)
            if account in {"student", "parent", "staff"}:
                expect(page.locator("#warnings button, #tasks button")).to_have_count(0)
            page.locator("#sign-out").click()
            expect(page.locator("#sign-in")).to_be_visible()


def test_the_page_speaks_english_and_fits_a_phone(demo: Stack) -> None:
    with browser(demo, viewport={"width": 360, "height": 740}) as page:
        page.locator("#language").click()
        choose(page, "quality")
        expect(page.locator("#warnings-title")).to_have_text("Warnings")
        expect(page.locator("#warnings tr").first).to_be_visible(timeout=SOON_MS)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_a_wrong_password_is_said_plainly(demo: Stack) -> None:
    with browser(demo) as page:
        page.get_by_label("用户名").fill("quality")
        page.get_by_label("密码").fill("not the password")
        page.keyboard.press("Enter")
        expect(page.locator("#sign-in-error")).to_have_text("用户名或密码不正确。")


def test_the_page_goes_on_by_itself_after_a_restart(demo: Stack) -> None:
    with browser(demo) as page:
        sign_in(page, "quality")
        demo.stop()
        expect(page.locator("#live")).to_have_text("重新连接…", timeout=SOON_MS)
        demo.start()
        expect(page.locator("#live")).to_have_text("实时", timeout=2 * SOON_MS)
        before = page.locator("#timeline li").first.inner_text()
        expect(page.locator("#timeline li").first).not_to_have_text(before, timeout=2 * SOON_MS)
