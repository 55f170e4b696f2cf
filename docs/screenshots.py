"""Make the screenshots of docs/comparing-runs.md: ``python docs/screenshots.py``, with Chromium on the machine.

`Visitor` does in the MLflow interface what a person does there; tests/tracking/test_interface.py checks what it reads.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright
from sklearn.model_selection import GridSearchCV

from seqpipe import MLflowTracker, SequenceClassifier
from seqpipe.datasets import load_digits

IMAGES = Path(__file__).parent / "images"
GRID = {"cell": ["rnn", "gru"], "hidden_size": [16, 32]}
WIDTH, HEIGHT = 1280, 1080
#: The link and the height in pixels of each picture, by its name.
STOPS = {
    "runs": ("Candidates by score", 520),
    "best": ("Best five compared", 1380),
    "curves": ("Learning curves", 1240),
    "cells": ("Learning curves by cell", 820),
}
#: Milliseconds until a page has what is expected on it; a server that has just started takes long for the first one.
PATIENCE = 180_000


def main() -> None:
    """Record the search of the page in a separate store, serve it, and take a picture of each stop of a visit."""
    with tempfile.TemporaryDirectory() as folder:
        uri = f"sqlite:///{folder}/mlflow.db"
        record(uri)
        with served(uri, Path(folder)) as links, visit() as visitor:
            for name, (link, height) in STOPS.items():
                visitor.open(links[link])
                visitor.page.locator(".ag-row").first.wait_for()
                visitor.save(name, height)


def record(uri: str, *, n_samples: int = 600, max_epochs: int = 12) -> GridSearchCV:
    """Run the search of the page and return it."""
    digits = load_digits()
    model = SequenceClassifier(max_epochs=max_epochs, early_stopping=True, random_state=0)
    tracker = MLflowTracker("digits", tracking_uri=uri, diagnostics=["gradient_flow"])
    search = GridSearchCV(model, GRID, cv=2).set_callbacks(tracker)
    return search.fit(digits.X[:n_samples], digits.y[:n_samples])


def chromium() -> str | None:
    """Return the path of Chromium; None if there is none."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@contextmanager
def served(uri: str, folder: Path) -> Iterator[dict[str, str]]:
    """Serve a store with ``seqpipe ui``; the value is the links that it prints, by name."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "seqpipe", "ui", "--port", str(port), "--uri", uri]
    with (folder / "output").open("w") as output:
        server = subprocess.Popen(command, cwd=folder, stdout=output, stderr=subprocess.STDOUT, env=dict(os.environ))
    try:
        wait_for(f"http://127.0.0.1:{port}/health", server)
        yield dict(re.findall(r"^  (.+): (http\S+)$", (folder / "output").read_text(), re.MULTILINE))
    finally:
        server.terminate()
        server.wait()


def wait_for(address: str, server: subprocess.Popen[bytes]) -> None:
    """Return once the address answers."""
    end = time.monotonic() + 300
    while time.monotonic() < end and server.poll() is None:
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except (urllib.error.URLError, TimeoutError):
            time.sleep(0.5)
    raise TimeoutError(f"{address} does not answer.")


@contextmanager
def visit() -> Iterator[Visitor]:
    """Open a browser that has never seen the interface."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        page.set_default_timeout(PATIENCE)
        try:
            yield Visitor(page)
        finally:
            browser.close()


class Visitor:
    """A person who compares runs.

    Parameters
    ----------
    page : Page
        A tab of the browser.
    """

    def __init__(self, page: Page) -> None:
        self.page = page

    def open(self, address: str) -> None:
        """Follow a link, and close the assistant, which opens by itself on the first visit."""
        self.page.goto(address)
        self.page.get_by_text("Model training").wait_for()
        close = self.page.get_by_role("button", name="Close", exact=True)
        if close.count():
            close.click()

    def choose_training(self) -> None:
        """Switch from the pages for language models to those for training, which the browser remembers."""
        self.page.get_by_text("Model training").click()

    def follow(self, name: str | re.Pattern[str]) -> None:
        """Click on the last link of the page with this text."""
        self.page.get_by_role("link", name=name, exact=True).last.click()

    def choose_view(self, name: str) -> list[str]:
        """Choose a view in the menu at the top, and return the names of all views there."""
        self.page.get_by_test_id("saved-views-trigger").click()
        entries = self.page.locator("[data-testid^='saved-views-item-']")
        entries.first.wait_for()
        names = [text.strip() for text in entries.all_inner_texts()]
        entries.filter(has_text=re.compile(f"^{name}$")).click()
        self.page.get_by_test_id("saved-views-trigger").get_by_text(name, exact=True).wait_for()
        return names

    def candidates(self) -> list[dict[str, str]]:
        """Return the rows of the table: the text of each column by its name."""
        self.page.locator(".ag-row [col-id^='metrics.']").first.wait_for()
        rows: dict[int, dict[str, str]] = {}
        for cell in self.page.locator(".ag-row [role=gridcell]").all():
            column = re.sub(".*`(.+)`", r"\1", cell.get_attribute("col-id") or "")
            row = cell.locator("xpath=ancestor::*[@row-index][1]").get_attribute("row-index")
            lines = cell.inner_text().splitlines()  # the first one of a name is its colour
            rows.setdefault(int(row or 0), {})[column] = lines[-1] if lines else ""
        return [rows[index] for index in sorted(rows)]

    def compare(self, n_runs: int) -> str:
        """Tick the first rows, press *Compare*, and return the text of the page."""
        for index in range(n_runs):
            self.page.locator(f".ag-row[row-index='{index}'] input[type=checkbox]").first.check()
        self.page.get_by_role("button", name="Compare", exact=True).click()
        self.page.get_by_text(f"Comparing {n_runs} Runs").wait_for()
        self.page.locator(".js-plotly-plot .main-svg").first.wait_for()
        return self.page.locator("body").inner_text()

    def charts(self) -> list[str]:
        """Return the titles of the charts that have come into view, once the first is drawn."""
        self.page.locator(".js-plotly-plot .main-svg").first.wait_for()
        self.page.wait_for_timeout(1000)  # the others follow
        cards = self.page.get_by_test_id("experiment-view-compare-runs-card").all_inner_texts()
        return [text.strip().partition("\n")[0] for text in cards]

    def curves(self) -> dict[str, list[float]]:
        """Return the epochs of each run in the first chart, by the names of runs."""
        self.page.locator(".js-plotly-plot .main-svg").first.wait_for()
        script = "plot => plot.data.filter(line => line.mode).map(line => [line.name, Array.from(line.x)])"
        return dict(self.page.locator(".js-plotly-plot").first.evaluate(script))

    def open_model(self) -> str:
        """Click on the first model of the page, and return the text of the model's page."""
        self.page.locator("a[href*='/models/m-']").first.click()
        self.page.get_by_text("About this logged model").wait_for()
        return self.page.locator("body").inner_text()

    def read(self, tab: str) -> str:
        """Choose a tab of a run's page and return the text of the page."""
        self.page.get_by_role("tab", name=tab, exact=True).click()
        self.page.get_by_role("tab", name=tab, exact=True, selected=True).wait_for()
        self.page.wait_for_timeout(1500)
        return self.page.locator("body").inner_text()

    def picture(self, folder: str, name: str) -> tuple[int, int]:
        """Open a picture among the artifacts of a run, and return its width and height in pixels."""
        self.page.get_by_role("tab", name="Artifacts", exact=True).click()
        self.page.get_by_text(folder, exact=True).click()
        self.page.get_by_text(name, exact=True).first.click()
        picture = self.page.locator("img[src^='blob:'], img[src^='data:'], .artifact-view img").first
        picture.wait_for()
        width, height = picture.evaluate("image => [image.naturalWidth, image.naturalHeight]")
        return width, height

    def save(self, name: str, height: int) -> None:
        """Save a picture of the page to the images of the documentation."""
        self.page.set_viewport_size({"width": WIDTH, "height": height})
        self.page.wait_for_timeout(2000)  # charts are drawn again
        path = IMAGES / f"mlflow-{name}.png"
        with Image.open(BytesIO(self.page.screenshot())) as picture:
            picture.convert("P", palette=Image.Palette.ADAPTIVE).save(path, optimize=True)
        self.page.set_viewport_size({"width": WIDTH, "height": HEIGHT})
        print(path)


if __name__ == "__main__":
    main()
