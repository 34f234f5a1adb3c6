"""A headless Chromium (Debian's) for the page, and a toy gateway for it to talk to."""

import os

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from toy import Toy

GATEWAY = os.environ.get("PHALANX_URL", "").rstrip("/")
# Whatever the policy stopped, and whatever a hostile answer managed to do, is written down here before the page runs.
WITNESS = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) =>
  violations.push(`${event.violatedDirective}: ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`));
window.pwned = 0;
"""


def pytest_collection_modifyitems(items):
    if not GATEWAY:
        for item in items:
            item.add_marker(pytest.mark.skip(reason="set PHALANX_URL to a running gateway"))


@pytest.fixture(scope="session")
def chromium():
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService("/usr/bin/chromedriver"))
    driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": WITNESS})
    yield driver
    driver.quit()


@pytest.fixture
def toy():
    server = Toy(GATEWAY)
    yield server
    server.shutdown()
    server.server_close()


class Page:
    """The page as its user has it."""

    def __init__(self, driver, url):
        self.driver = driver
        self.url = url
        self.size(1400, 900)
        self.media()
        self.load()

    def load(self):
        self.driver.get(self.url)
        self.wait(lambda: self.text("cluster-state") != "connecting")

    def size(self, width, height):
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500},
        )

    def media(self, **features):
        listed = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": listed})

    def find(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def text(self, name):
        return self.script("return document.getElementById(arguments[0]).textContent", name)

    def script(self, source, *arguments):
        return self.driver.execute_script(source, *arguments)

    def later(self, source, *arguments):
        """The result of an asynchronous script: `return` inside an async function."""
        wrapped = (
            "const done = arguments[arguments.length - 1];"
            f"(async (...args) => {{ {source} }})(...arguments).then(done, (error) => done('error: ' + error))"
        )
        return self.driver.execute_async_script(wrapped, *arguments)

    def wait(self, condition, seconds=20):
        return WebDriverWait(self.driver, seconds, poll_frequency=0.05).until(lambda _: condition())

    def press(self, *keys):
        """Types into whatever has the focus."""
        self.driver.switch_to.active_element.send_keys(*keys)

    def ask(self, text):
        self.find("#prompt").send_keys(text, Keys.ENTER)

    def answers(self):
        return self.script("return [...document.querySelectorAll('.answer .body')].map((body) => body.innerText.trim())")

    def is_busy(self):
        return self.find("#messages").get_attribute("aria-busy") == "true"

    def finished(self, seconds=20):
        """Waits for the end of the answer and returns its text."""
        self.wait(lambda: self.answers() and not self.is_busy(), seconds)
        return self.answers()[-1]

    def complaints(self):
        """What the policy stopped and what scripts stumbled over, since the last time."""
        errors = [
            entry["message"] for entry in self.driver.get_log("browser")
            if entry["level"] == "SEVERE" and "Failed to load resource" not in entry["message"]
        ]
        return self.script("return violations") + errors


@pytest.fixture
def page(chromium, toy):
    chromium.get_log("browser")
    page = Page(chromium, toy.url)
    yield page
    complaints = page.complaints()
    page.script("localStorage.clear(); sessionStorage.clear()")
    assert complaints == []


@pytest.fixture(scope="module")
def loaded_page(chromium):
    """A page for tests that only use its modules: it is loaded once."""
    server = Toy(GATEWAY)
    yield Page(chromium, server.url)
    server.shutdown()
    server.server_close()


@pytest.fixture
def real_page(chromium):
    """The page in front of the running cluster."""
    chromium.get_log("browser")
    page = Page(chromium, GATEWAY + "/")
    yield page
    complaints = page.complaints()
    page.script("localStorage.clear(); sessionStorage.clear()")
    assert complaints == []
