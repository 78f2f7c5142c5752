"""The H5 build, made when its sources are newer, and a Chromium the size of a phone."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.client.scripted_api import Script, served

ROOT = Path(__file__).parents[2]
CLIENT = ROOT / "client"
SOURCES = ("src", "index.html", "package.json", "package-lock.json", "vite.config.ts")
PHONE = {"width": 390, "height": 844}


def npm(*words: str, timeout_s: int = 600) -> str:
    """What npm said. The Node that comes with the project's environment runs it, whatever else is installed."""
    here = Path(sys.executable).parent
    done = subprocess.run(
        [str(here / "npm"), *words],
        cwd=CLIENT,
        env={**os.environ, "PATH": f"{here}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    assert done.returncode == 0, f"npm {' '.join(words)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def newest(*paths: Path) -> float:
    files = (f for p in paths for f in (p.rglob("*") if p.is_dir() else [p]))
    return max((f.stat().st_mtime for f in files if f.is_file()), default=0.0)


@pytest.fixture(scope="session")
def node_modules() -> Path:
    """The locked packages, installed when the lock is newer than they are."""
    mark = CLIENT / "node_modules" / ".package-lock.json"
    if not mark.exists() or mark.stat().st_mtime < (CLIENT / "package-lock.json").stat().st_mtime:
        npm("ci")
    return mark.parent


@pytest.fixture(scope="session")
def h5(node_modules: Path) -> Path:
    """The H5 build of the sources as they stand."""
    built = CLIENT / "dist" / "build" / "h5"
    page = built / "index.html"
    if not page.exists() or page.stat().st_mtime < newest(*(CLIENT / name for name in SOURCES)):
        shutil.rmtree(built, ignore_errors=True)
        npm("run", "build:h5")
    return built


@pytest.fixture
def script(h5: Path) -> Script:
    return Script(h5)


@pytest.fixture
def service(script: Script) -> Iterator[str]:
    with served(script) as url:
        yield url


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A phone's screen. Whatever the browser complains about (Content-Security-Policy first of all) fails the test."""
    context = chromium.new_context(
        viewport=PHONE, locale="zh-CN", timezone_id="Asia/Shanghai", has_touch=True, device_scale_factor=1
    )
    context.set_default_timeout(10_000)
    sheet = context.new_page()
    complaints: list[str] = []
    sheet.on("pageerror", lambda error: complaints.append(str(error)))
    sheet.on("console", lambda said: complaints.append(said.text) if "Content Security Policy" in said.text else None)
    yield sheet
    context.close()
    assert not complaints, complaints
