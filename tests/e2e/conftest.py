"""A house that runs, a phone and a desk in Chromium, and whatever the browser complained about."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.client.conftest import h5, node_modules  # noqa: F401  fixtures: the H5 build that /m/ serves
from tests.e2e.house import House
from tests.e2e.pages import Desk, Phone

PHONE = {"width": 390, "height": 844}
DESK = {"width": 1440, "height": 900}


@pytest.fixture(scope="module")
def house(h5: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:  # noqa: F811  the fixture above
    with House(tmp_path_factory.mktemp("house")) as running:
        yield running


class Complaints(list[str]):
    """What Chromium said that it should not have; a test that provokes something names it with `but`."""

    def __init__(self) -> None:
        super().__init__()
        self._provoked: list[str] = []

    def of(self, page: Page) -> None:
        page.on("console", lambda said: self.hear(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda why: self.hear(str(why)))

    def hear(self, text: str) -> None:
        self.append(text)

    def but(self, words: str) -> None:
        self._provoked.append(words)

    def left(self) -> list[str]:
        return [said for said in self if not any(words in said for words in self._provoked)]


@pytest.fixture
def complaints() -> Iterator[Complaints]:
    """There are none in the end."""
    kept = Complaints()
    yield kept
    assert kept.left() == []


@pytest.fixture
def new_page(chromium: Browser, house: House, complaints: Complaints) -> Iterator[Callable[..., Page]]:
    """A browser of its own, which reads the same clock as both sides of the wires."""
    contexts: list[BrowserContext] = []

    def made(size: Any, **options: Any) -> Page:
        context = chromium.new_context(viewport=size, locale="zh-CN", timezone_id="Asia/Shanghai", **options)
        context.set_default_timeout(15_000)
        context.clock.install(time=house.now())
        contexts.append(context)
        page = context.new_page()
        complaints.of(page)
        return page

    yield made
    for context in contexts:
        context.close()


@pytest.fixture
def phone(new_page: Callable[..., Page], house: House) -> Phone:
    """The sandbox's phone on a screen as wide as a phone's."""
    page = new_page(PHONE)
    page.goto(house.sandbox_url)
    return Phone(page, house)


@pytest.fixture
def desk(new_page: Callable[..., Page], house: House) -> Desk:
    """A desk: nobody is signed in at the console yet."""
    return Desk(new_page(DESK), house)


@pytest.fixture
def picture() -> Callable[[Page, str], None]:
    """Keeps a picture for docs/first-deed.md when HOUQIN_SCREENSHOTS names a folder."""
    folder = os.environ.get("HOUQIN_SCREENSHOTS")

    def keep(page: Page, name: str) -> None:
        if folder:
            page.screenshot(path=f"{folder}/first-deed-{name}.png", animations="disabled")

    return keep
