"""The bundled model in a real VS Code: it offers, it rewrites, and the file has what was seen."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.editors.vscode.conftest import opened
from tests.editors.vscode.test_ghost_text import saved, start
from tests.editors.vscode.workbench import FILL, PIN, REWRITE, Workbench

pytestmark = [pytest.mark.editor, pytest.mark.model]

SHOP = """\
class Item:
    def __init__(self, sku, quantity, price):
        self.sku = sku
        self.quantity = quantity
        self.price = price


class Inventory:
    def __init__(self):
        self._items = {}

    def add(self, item):
        if item.sku in self._items:
            self._items[item.sku].quantity += item.quantity
        else:
            self._items[item.sku] = item

    def total(self):
        return sum(item.quantity * item.price for item in self._items.values())

    def cheapest(self):
        return min(self._items.values(), key=lambda item: item.price)

    def most_expensive(self):
        |
"""
LOADED_MS = 60_000
PLUS = ".monaco-diff-editor .editor.modified .view-lines"


@pytest.fixture(scope="module")
def real(
    installed: None, bundled_model_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Workbench]:
    """VS Code on a folder, with the bundled model and time to answer on a busy machine."""
    patient = {
        "diffill.server.interpreter": sys.executable,
        "diffill.inline.maxLatencyMs": 10_000,
    }
    yield from opened(tmp_path_factory.mktemp("vscode"), [], patient)


def test_it_offers_and_tab_takes_what_was_offered(real: Workbench) -> None:
    before = SHOP.replace("|", "")
    line = before.splitlines().index("        ") + 1
    start(real, "shop.py", before, line, 9)
    real.do("type", text="return max(")
    real.keys("Alt+\\")
    real.do("status", contains="Last answer", ms=LOADED_MS)
    real.keys("Escape", "Alt+\\")
    offered = real.do("someGhost")
    real.shot("bundled-model")
    real.keys("Tab")
    assert saved(real, "shop.py").decode() == SHOP.replace("|", f"return max({offered}")


def test_it_rewrites_a_selection_and_the_file_has_what_was_previewed(real: Workbench) -> None:
    text = SHOP.replace("|", "return max(self._items)")
    start(real, "again.py", text, 22, 16)
    real.keys("Shift+End", *REWRITE)
    real.do("quickTitle", contains="changes", ms=LOADED_MS)
    real.keys("ArrowDown", "ArrowDown")
    real.do("quickTitle", contains="strength 0.8: 1 of", ms=LOADED_MS)
    shown = "".join(real.do("see", selector=PLUS, contains="return "))
    real.shot("bundled-model-rewrite")
    real.keys("Enter")
    real.do("gone", selector=".monaco-diff-editor")
    real.do("see", selector=".tab.active.dirty", contains=".py")
    lines = saved(real, "again.py").decode().splitlines()
    expected = text.splitlines()
    after = expected[22:]
    written = lines[21 : len(lines) - len(after)]  # in as many lines as the model likes
    assert lines[:21] == expected[:21] and lines[len(lines) - len(after) :] == after
    assert written != [expected[21]]
    assert all(line.strip() in shown for line in written)


def test_it_fills_three_holes_together_and_nothing_else_changes(real: Workbench) -> None:
    text = SHOP.replace("|", "return max(___)\n\n    def ___(self, item):\n        return ___")
    start(real, "holes.py", text, 25, 9)
    real.keys(*FILL)
    real.do("quickTitle", contains="Fill: 1 of", ms=LOADED_MS)
    real.do("see", selector=".quick-input-title", contains="3 holes")
    real.shot("fill")
    real.keys("Enter")
    real.do("gone", selector=".monaco-diff-editor")
    real.do("see", selector=".tab.active.dirty", contains=".py")
    holes = "(.*?)".join(map(re.escape, text.split("___")))
    filled = re.fullmatch(holes, saved(real, "holes.py").decode(), re.S)
    assert filled and all("___" not in hole for hole in filled.groups())


def test_what_is_pinned_stays(real: Workbench) -> None:
    text = SHOP.replace("|", "return max(self._items)")
    start(real, "pinned.py", text, 22, 20)
    real.keys(*["Shift+ArrowRight"] * len("self._items.values()"), *PIN)
    real.do("goto", line=22, column=16)
    real.keys("Shift+End", *REWRITE)
    real.do("quickTitle", contains="changes", ms=LOADED_MS)
    real.keys("ArrowDown", "ArrowDown", "ArrowDown")
    real.do("quickTitle", contains="strength 1.0: 1 of", ms=LOADED_MS)
    real.shot("pinned")
    real.keys("Enter")
    real.do("gone", selector=".monaco-diff-editor")
    real.do("see", selector=".tab.active.dirty", contains=".py")
    line = saved(real, "pinned.py").decode().splitlines()[21]
    assert "self._items.values()" in line and line != text.splitlines()[21]
