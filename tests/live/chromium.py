"""
Chromium, driven through chromedriver, as a server of the live tests.
"""

import os
import time
import urllib.request
from collections.abc import Callable
from typing import TypeVar

from selenium import webdriver
from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from tests.live.server import Server

FLAGS = """
--headless --no-sandbox --disable-gpu --disable-quic --no-first-run
--disable-background-networking --disable-component-update
--disable-sync --disable-dev-shm-usage --force-prefers-reduced-motion --window-size=1100,800
"""
WAIT_SECONDS = 20.0
STEP_SECONDS = 0.05

T = TypeVar("T")


class NotSeen(AssertionError):
    """The thing that a test waited for did not come."""


class Chromium(Server):
    """A chromedriver of our own, and the one browser with an empty profile that it drives."""

    NAME = "chromedriver"

    def __init__(self) -> None:
        super().__init__()
        self._driver: webdriver.Remote | None = None

    def open(self, url: str) -> "Window":
        """A new window that shows `url`."""
        if self._driver is None:
            self._driver = self._browser()
        self._driver.switch_to.window(self._driver.window_handles[0])
        self._driver.switch_to.new_window("window")
        self._driver.get(url)
        return Window(self._driver, self._driver.current_window_handle)

    def _browser(self) -> webdriver.Remote:
        options = webdriver.ChromeOptions()
        for flag in (*FLAGS.split(), f"--user-data-dir={self.folder}/profile"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        return webdriver.Remote(f"http://{self.host}:{self.port}", options=options)

    def _prepare(self) -> None:
        """A profile is made by the browser itself."""

    def _launch(self) -> int:
        return self._run(
            ["chromedriver", f"--port={self.port}"], os.environ | {"HOME": str(self.folder)}
        )

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(
                f"http://{self.host}:{self.port}/status", timeout=5
            ) as response:
                return int(response.status) == 200
        except OSError:
            return False


class Window:
    """One window; every method makes it the current one first."""

    def __init__(self, driver: webdriver.Remote, handle: str) -> None:
        self._driver = driver
        self._handle = handle

    @property
    def page(self) -> webdriver.Remote:
        """The driver, with this window current."""
        self._driver.switch_to.window(self._handle)
        return self._driver

    def find(self, selector: str) -> WebElement:
        """The first element, waited for until it is shown."""
        return self.wait(
            lambda: next(element for element in self._all(selector) if element.is_displayed()),
            selector,
        )

    def click(self, selector: str) -> None:
        """Click the first such element that is shown."""
        self.find(selector).click()

    def write(self, selector: str, text: str) -> None:
        """Put any text into a field, as typing would; chromedriver itself types no emoji."""
        script = (
            "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new "
            "Event('input', {bubbles: true}))"
        )
        self.page.execute_script(script, self.find(selector), text)

    def texts(self, selector: str) -> list[str]:
        """The exact text of every such element, shown or not, in the order of the page."""
        script = (
            "return [...document.querySelectorAll(arguments[0])].map((element) => "
            "element.textContent)"
        )
        found: list[str] = self.page.execute_script(script, selector)
        return found

    def run(self, script: str) -> object:
        """The result of JavaScript that runs in the page."""
        return self.page.execute_script(script)

    def wait_texts(self, selector: str, expected: list[str]) -> None:
        """Return when `texts` are these."""
        self.wait(
            lambda: self.texts(selector) == expected or None,
            f"{selector} with {expected!r}",
            lambda: self.texts(selector),
        )

    def opened_by(self, selector: str) -> "Window":
        """Click, and return the window that this opens."""
        before = set(self._driver.window_handles)
        self.click(selector)
        new = self.wait(lambda: set(self._driver.window_handles) - before or None, "a new window")
        return Window(self._driver, new.pop())

    def close(self) -> None:
        """Close the window."""
        self.page.close()

    def complaints(self) -> list[str]:
        """
        The errors that the page has logged since the last call: exceptions, refused scripts,
        missing files.
        """
        return [
            entry["message"]
            for entry in self.page.execute("getLog", {"type": "browser"})["value"]
            if entry["level"] == "SEVERE"
        ]

    def wait(
        self,
        look: Callable[[], T | None],
        what: str,
        instead: Callable[[], object] = lambda: "nothing",
    ) -> T:
        """
        The first result of `look` that is not None. Raises `NotSeen` when that takes too long.
        """
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            try:
                found = look()
            except (StopIteration, NoSuchElementException, StaleElementReferenceException):
                found = None
            if found is not None:
                return found
            if time.monotonic() > deadline:
                raise NotSeen(f"not seen: {what}; instead {instead()}")
            time.sleep(STEP_SECONDS)

    def _all(self, selector: str) -> list[WebElement]:
        return self.page.find_elements(By.CSS_SELECTOR, selector)
