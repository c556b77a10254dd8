"""A film shows one scene at a time, every step once, and nothing of a program as markup."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest
from rich.text import Text
from typer.testing import CliRunner

from diffusion.demo.film import REST_S, STEP_S, Film, drawn
from diffusion.errors import ConfigError, DiffillError
from lsp_server.commands import app
from tests.unit.demo.test_screen import OUTCOMES

SVG = "{http://www.w3.org/2000/svg}"


def scenes(text: str) -> list[ElementTree.Element]:
    return ElementTree.fromstring(text).findall(f"{SVG}g")


def visible(scene: ElementTree.Element, share: float) -> bool:
    """Whether a scene is shown at this share of the film, as SMIL reads it."""
    play = scene.find(f"{SVG}animate")
    assert play is not None and play.get("calcMode") == "discrete"
    times = [float(t) for t in play.get("keyTimes", "").split(";")]
    values = play.get("values", "").split(";")
    assert times[0] == 0.0 and len(times) == len(values)
    return values[max(i for i, t in enumerate(times) if t <= share)] == "visible"


@pytest.mark.parametrize("count", [1, 2, 5])
def test_there_is_always_one_scene_to_see(count: int) -> None:
    found = scenes(drawn([(0.5 + n, [Text(f"line {n}")]) for n in range(count)]))
    for share in (0.0, 0.1, 0.33, 0.5, 0.9, 0.999):
        assert sum(visible(scene, share) for scene in found) == 1


def test_every_step_has_its_scene_and_the_last_one_rests(tmp_path: Path) -> None:
    path = tmp_path / "film.svg"
    film = Film(path)
    for number, outcome in enumerate(OUTCOMES, 1):
        film.hole(number, len(OUTCOMES), outcome)
    film.closing(OUTCOMES)
    text = path.read_text(encoding="utf-8")
    found = scenes(text)
    assert len(found) == sum(len(outcome.frames) for outcome in OUTCOMES)
    assert "[bold]x" in text and "http" not in text.replace("http://www.w3.org/2000/svg", "")
    play = found[0].find(f"{SVG}animate")
    steps = len(found) - len(OUTCOMES)
    whole_s = STEP_S * steps + REST_S * len(OUTCOMES)
    assert play is not None and play.get("dur") == f"{whole_s:.2f}s"


def test_what_a_program_says_is_escaped() -> None:
    said = "".join(scenes(drawn([(1.0, [Text("if a < b && c: </svg>")])]))[0].itertext())
    assert said.strip() == "if a < b && c: </svg>"


def test_a_name_that_cannot_be_written_is_refused_before_the_work(tmp_path: Path) -> None:
    for path in (tmp_path / "film.gif", tmp_path / "nowhere" / "film.svg"):
        with pytest.raises(ConfigError, match="cannot become a film"):
            Film(path)
    (tmp_path / "folder.svg").mkdir()
    with pytest.raises(DiffillError, match="give another --record"):
        Film(tmp_path / "folder.svg")
    Film(tmp_path / "film.svg")
    assert [path.name for path in tmp_path.iterdir()] == ["folder.svg"], "none is made yet"


@pytest.mark.parametrize("option", ["--plain", "--fast"])
def test_an_option_that_says_nothing_of_a_film_is_refused(tmp_path: Path, option: str) -> None:
    answer = CliRunner().invoke(app, ["demo", "--record", str(tmp_path / "film.svg"), option])
    assert isinstance(answer.exception, ConfigError)
    assert "--plain and --fast would do nothing with --record" in str(answer.exception)


def test_a_line_of_one_style_keeps_it() -> None:
    assert 'opacity="0.6"' in drawn([(1.0, [Text("context", "dim")])])
