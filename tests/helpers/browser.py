"""Looking at pages in a browser."""

import time
from collections.abc import Callable
from typing import TypeVar

import pytest
from selenium import webdriver

from benchmarks._browser import CHROMIUM, DRIVER
from benchmarks._browser import open_browser as open_browser
from benchmarks._browser import set_size as set_size

needs_browser = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="chromium and chromedriver are not installed")

Found = TypeVar("Found")


def until(what: Callable[[], Found], seconds: float = 30.0) -> Found:
    """What it says as soon as it says anything that is true."""
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline, f"still {found!r} after {seconds:g} s"
        time.sleep(0.05)
    return found


def console(browser: webdriver.Chrome) -> list[str]:
    """What its console has said since it was last asked."""
    return [entry["message"] for entry in browser.get_log("browser")]
