"""Films the bundled model unmasking three holes in VS Code, as README.md shows it.

The film is .editors/artefacts/vscode/unmasking.webp, at the speed at which it was seen; the last
picture, with the holes filled, stands longer.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.editors.vscode.conftest import opened
from tests.editors.vscode.test_ghost_text import start
from tests.editors.vscode.workbench import FILL, SHOTS, Workbench

pytestmark = [pytest.mark.editor, pytest.mark.model]

SHOP = """\
class Shop:
    def __init__(self):
        self.items = []

    def add(self, item):
        self.items.append(___)

    def cheapest(self):
        return min(self.items, key=lambda item: item.price)

    def most_expensive(self):
        return max(___)

    def is_empty(self):
        return len(___) == 0
"""
CLIP = {"x": 328, "y": 86, "width": 640, "height": 304}
FIRST_MS, LAST_MS, LOADED_MS = 1200, 3000, 60_000
MOST_BYTES = 600_000


@pytest.fixture
def quiet(installed: None, tmp_path: Path) -> Iterator[Workbench]:
    """VS Code with the bundled model, which is asked for nothing but the fill."""
    settings = {
        "diffill.server.interpreter": sys.executable,
        "diffill.inline.trigger": "manual",
        "editor.cursorBlinking": "solid",
        "editor.occurrencesHighlight": "off",
        "editor.lightbulb.enabled": "off",
        "editor.renderLineHighlight": "none",
    }
    yield from opened(tmp_path, [], settings)


def test_drafts_are_filmed(quiet: Workbench, tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image", reason="Pillow, which comes with matplotlib")
    start(quiet, "shop.py", SHOP, 1, 1)
    quiet.do("status", contains="model ready", ms=LOADED_MS)
    folder = tmp_path / "film"
    folder.mkdir()
    quiet.keys(*FILL)
    shown = ".quick-input-title:has-text('Fill: ')"
    taken = quiet.do("film", folder=str(folder), clip=CLIP, until=shown, ms=LOADED_MS)
    quiet.do("quickTitle", contains="3 holes")
    quiet.keys("Enter")
    quiet.do("gone", selector=".monaco-diff-editor")
    quiet.do("see", selector=".tab.active.dirty", contains=".py")
    quiet.do("shot", path=str(folder / "last.png"), clip=CLIP)
    pictures: list[Any] = []
    lasting: list[int] = []
    for number, (at, end) in enumerate(zip(taken, [*taken[1:], taken[-1] + 100], strict=True)):
        picture = image.open(folder / f"{number}.png").convert("RGB")
        if pictures and picture.tobytes() == pictures[-1].tobytes():
            lasting[-1] += round(end - at)
        else:
            pictures.append(picture)
            lasting.append(round(end - at))
    assert len(pictures) > 3, "drafts were seen"
    lasting[0] += FIRST_MS
    pictures.append(image.open(folder / "last.png").convert("RGB"))
    lasting.append(LAST_MS)
    SHOTS.mkdir(parents=True, exist_ok=True)
    path = SHOTS / "unmasking.webp"
    pictures[0].save(
        path, save_all=True, append_images=pictures[1:], duration=lasting, loop=0, lossless=True
    )
    assert path.stat().st_size < MOST_BYTES
