"""Filling several holes: what comes back, what stays, and what is refused."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from diffusion.agreeing import Setting, agree, with_others
from diffusion.bridging import SIZES, carry_out
from diffusion.cancel import Cancelled, CancelToken
from diffusion.drafts import Draft
from diffusion.errors import HoleError
from diffusion.filling import FillRequest, FillResult, fill
from diffusion.infill import Infiller, InfillRequest
from diffusion.open_parts import OpenParts, open_parts
from diffusion.process.canvas_state import CanvasResult, CanvasState
from diffusion.process.judging import FilledCanvas, judge
from diffusion.text.line_index import LineIndex
from diffusion.text.line_tasks import bridge_task
from diffusion.text.parse_allowance import ParseAllowance
from diffusion.text.parts import find_markers, split
from diffusion.text.syntax import SyntaxTree
from diffusion.text.tokenizer import DEL, MASK
from diffusion.written import OUT_OF_TIME
from tests.support.drawn import read_drawn

TEXT = b"class Box:\n    def __init__(self, ___):\n        self.___ = ___\n\n    def get(self):\n"
HOLES = tuple(find_markers(TEXT))
REQUEST = FillRequest(TEXT, HOLES, "python")


@pytest.fixture(scope="module")
def infiller(tiny_model_dir: Path) -> Infiller:
    return Infiller.load(tiny_model_dir, threads=1, precision="fp32")


def test_every_hole_gets_a_text_also_two_on_one_line(infiller: Infiller) -> None:
    result = fill(infiller, replace(REQUEST, alternatives=3))
    assert result.fills and len({found.texts for found in result.fills}) == len(result.fills)
    for found in result.fills:
        assert len(found.texts) == len(found.tokens) == 3 and all(t.strip() for t in found.texts)
        assert 0 < found.score <= 1
    assert result.steps > 0 and result.reason is None


def test_pins_survive_verbatim(infiller: Infiller) -> None:
    data = "a = [old(é), keep(1), old(2)]\nb = ___\n".encode()
    hole = (data.index(b"["), data.index(b"]") + 1)
    pin = (data.index(b"keep"), data.index(b"keep(1)") + 7)
    marker = find_markers(data)[0]
    result = fill(infiller, FillRequest(data, (marker, hole), "python", (pin,), 2))
    assert result.fills
    for found in result.fills:
        assert "keep(1)" in found.texts[1] and "keep(1)" not in found.texts[0]


def test_a_hole_of_nothing_but_a_pin_stays(infiller: Infiller) -> None:
    with_one = fill(infiller, replace(REQUEST, pins=(HOLES[0],)))
    assert all(found.texts[0] == "___" for found in with_one.fills) and with_one.fills


def test_where_all_is_pinned_it_says_so(infiller: Infiller) -> None:
    """A hole that is pinned whole beside another one is no completion of that one alone."""
    asked = replace(REQUEST, holes=HOLES[:2], pins=(HOLES[0],))
    assert all(found.texts[0] == "___" for found in fill(infiller, asked).fills)
    result = fill(infiller, replace(asked, pins=HOLES[:2]))
    assert not result.fills and "is pinned" in str(result.reason)


@pytest.mark.parametrize("eol", [b"\n", b"\r\n"])
def test_lines_before_lines_end_with_a_line_end_in_every_hole(
    infiller: Infiller, monkeypatch: pytest.MonkeyPatch, eol: bytes
) -> None:
    data = b"a = load();\nsave(a);\n\nfunction f(x) {\n  return ___;\n}\n".replace(b"\n", eol)
    marker = data.index(b"___")
    holes = [data.index(b"save"), data.index(b"  return")]
    asked = FillRequest(
        data, ((marker, marker + 3), *((at, at) for at in holes)), "javascript", alternatives=3
    )
    seen: list[bytes] = []

    def watched(model: Infiller, text: bytes, *more: Any) -> OpenParts:
        seen.append(text)
        return open_parts(model, text, *more)

    monkeypatch.setattr("diffusion.filling.open_parts", watched)
    told: list[Draft] = []
    fills = fill(infiller, asked, on_draft=told.append).fills
    assert seen == [data.replace(b"save", eol + b"save").replace(b"  ret", eol + b"  ret")]
    for texts in (found.texts for found in fills):
        assert all(text.strip() and text.endswith(eol.decode()) for text in texts[1:])
    assert fills and str(told[-1].holes[1][-1]).endswith(eol.decode())


def test_one_hole_is_a_completion(infiller: Infiller) -> None:
    data = b"total = 0\nfor value in values:\n    total += ___\n"
    [hole] = find_markers(data)
    alone = fill(infiller, FillRequest(data, (hole,), "python"))
    cut = data[: hole[0]] + data[hole[1] :]
    [candidate] = infiller.infill(InfillRequest(cut, hole[0], "python", alternatives=1)).candidates
    assert alone.fills[0].texts == (candidate.text,)


@pytest.mark.model
def test_a_hole_at_the_start_of_a_line_is_a_part_of_it(bundled_infiller: Infiller) -> None:
    data = b"width = 3\nheight = 4\n___(width * height)\n"
    result = fill(bundled_infiller, FillRequest(data, tuple(find_markers(data)), "python"))
    assert "\n" not in result.fills[0].texts[0]


@pytest.mark.parametrize("late", [0.0, 1e9])
def test_what_has_been_agreed_counts_when_the_time_is_over(
    infiller: Infiller, monkeypatch: pytest.MonkeyPatch, late: float
) -> None:
    opened = open_parts(infiller, TEXT, list(HOLES), "python", CancelToken())
    parts = tuple(split(TEXT, HOLES))
    kinds = ("element", "member", "expression")
    setting = Setting(TEXT, SyntaxTree.parse(TEXT, "python"), "python", parts, kinds)
    clock = iter([0.0, 0.0] * len(parts) + [late] * 99)
    monkeypatch.setattr("diffusion.agreeing.time.perf_counter", lambda: next(clock))
    drafts = [(b"a", b"b", b"c"), (b"d", b"e", b"f")]
    found = agree(infiller, opened, setting, drafts, CancelToken(), 1.0)
    assert found is not None and len(found[0]) == len(parts)
    assert (found[1] == len(parts)) == bool(late)
    assert agree(infiller, opened, setting, drafts, CancelToken(), 1.0, row_s=9.0) is None


def test_a_fill_without_time_says_so(infiller: Infiller) -> None:
    data = b"f(___, b)\ng(___)\n"
    asked = FillRequest(data, tuple(find_markers(data)), "python", deadline_ms=0.001)
    assert fill(infiller, asked).reason == OUT_OF_TIME


def test_a_hole_that_is_blank_when_the_time_is_up_is_late(
    infiller: Infiller, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = b"f(___, b)\ng(___)\n"
    late: Any = "deadline"

    def blank(canvas: CanvasState) -> CanvasResult:
        slots = (*infiller.tokenizer.encode(canvas.constraint + b"\n"), DEL)
        ids = (*canvas.ids[: int(canvas.pins)], *slots)  # type: ignore[arg-type]
        return CanvasResult(ids, (0.5,) * len(ids), -1, 1, late == "full", late, True)

    def cut_short(_: object, canvases: list[list[CanvasState]], *__: Any, **___: Any) -> Any:
        return [list(map(blank, row)) for row in canvases]

    monkeypatch.setattr("diffusion.filling.sample_jointly", cut_short)
    asked = FillRequest(data, tuple(find_markers(data)), "python")
    assert fill(infiller, asked).reason == OUT_OF_TIME
    late = "full"
    assert fill(infiller, asked).reason == "a hole stayed empty"


def test_all_texts_of_the_holes_share_the_time_for_parses(
    infiller: Infiller, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[ParseAllowance] = []
    was = ParseAllowance.edited

    def edited(self: ParseAllowance, *more: Any) -> SyntaxTree:
        seen.append(self)
        return was(self, *more)

    monkeypatch.setattr(ParseAllowance, "edited", edited)
    assert fill(infiller, REQUEST).fills
    assert len(seen) > len(HOLES) and len(set(seen)) == 1


def test_holes_in_a_document_that_takes_long_to_parse(infiller: Infiller) -> None:
    data = b'"""\n' + b"x = f(1)\n" * 30_000 + b"a = ___\nb = ___\n"
    asked = FillRequest(data, tuple(find_markers(data)), "python", deadline_ms=20_000)
    begun_s = time.perf_counter()
    assert fill(infiller, asked).fills
    assert time.perf_counter() - begun_s < 20


def test_a_deadline_that_has_passed_leaves_out_the_second_look(infiller: Infiller) -> None:
    spans = list(HOLES)
    opened = open_parts(infiller, TEXT, spans, "python", CancelToken())
    parts = tuple(split(TEXT, HOLES))
    tree = SyntaxTree.parse(TEXT, "python")
    setting = Setting(TEXT, tree, "python", parts, ("element", "member", "expression"))
    drafts = [(b"a", b"b", b"c")]
    assert agree(infiller, opened, setting, drafts, CancelToken(), 0.0) is None
    assert agree(infiller, opened, setting, drafts, CancelToken()) is not None


def test_equal_requests_have_equal_answers(infiller: Infiller) -> None:
    def said(result: FillResult) -> list[tuple[str, ...]]:
        return [found.texts for found in result.fills]

    asked = replace(REQUEST, alternatives=3)
    assert said(fill(infiller, asked)) == said(fill(infiller, asked))


def test_what_makes_no_sense_is_refused(infiller: Infiller) -> None:
    with pytest.raises(HoleError, match="there is no hole"):
        fill(infiller, replace(REQUEST, holes=()))
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        fill(infiller, REQUEST, cancel=token)


def test_a_canvas_sees_the_text_of_the_others_but_not_their_masks(infiller: Infiller) -> None:
    data = b"alpha = ___\nbeta = ___\n"
    opened = open_parts(infiller, data, find_markers(data), "python", CancelToken())
    one, other = (list(placement.pins) for placement in opened.placements)
    word = infiller.tokenizer.encode(b" gamma")

    def logits(beside: list[int], draft: int = 0) -> torch.Tensor:
        rows = [[*one, MASK], beside]
        longest = max(map(len, rows))
        ids = torch.tensor([row + [0] * (longest - len(row)) for row in rows])
        wanted = torch.zeros(ids.shape, dtype=torch.bool)
        wanted[0, len(one)] = True
        lengths = torch.tensor([len(row) for row in rows])
        return opened.denoise(ids, lengths, wanted, torch.tensor([0, 1]), torch.tensor([0, draft]))

    def far(one: torch.Tensor, other: torch.Tensor) -> float:
        return float((one - other).abs().max())

    masked = logits([*other, MASK])
    # More masks change what the pins beside them say, but are not seen themselves.
    assert far(masked, logits([*other, *word])) > 20 * far(masked, logits([*other, MASK, MASK]))
    assert far(logits([*other, *word], 1), logits([*other, MASK], 1)) < 1e-5, "not across drafts"


def test_a_name_that_fits_both_places_wins_in_both(infiller: Infiller) -> None:
    """A denoiser that likes in one hole what the other says makes them agree."""
    data = b"alpha = ___\nbeta = ___\n"
    parts = split(data, find_markers(data))
    spans = [(part.start, part.end) for part in parts]
    opened = open_parts(infiller, data, spans, "python", CancelToken())
    words = {name: infiller.tokenizer.encode(b" " + name)[0] for name in (b"on", b"to")}

    def likes_company(
        ids_BN: torch.Tensor,
        lengths_B: torch.Tensor,
        wanted_BN: torch.Tensor,
        holes_B: torch.Tensor,
        drafts_B: torch.Tensor,
        /,
    ) -> torch.Tensor:
        logits = torch.zeros(int(wanted_BN.sum()), infiller.tokenizer.vocab_size)
        for m, (b, _) in enumerate(wanted_BN.nonzero().tolist()):
            for other in range(len(ids_BN)):
                if drafts_B[other] == drafts_B[b] and holes_B[other] != holes_B[b]:
                    for token in words.values():
                        if token in ids_BN[other].tolist():
                            logits[m, token] = 9.0
        return logits

    setting = Setting(
        data, SyntaxTree.parse(data, "python"), "python", tuple(parts), ("expression",) * 2
    )
    found = agree(
        infiller, OpenParts(opened.placements, likes_company), setting,
        [(b"on", b"to")], CancelToken(),
    )  # fmt: skip
    assert found is not None
    assert len({part.text for part in found[0]}) == 1


def test_lines_that_only_say_again_what_is_there_are_dropped(infiller: Infiller) -> None:
    data = b"def f(x):\n    y = x\n\n    return y\n"
    task = bridge_task(data, data.index(b"\n\n") + 1)
    for found in carry_out(infiller, task, FillRequest(data, (), "python", alternatives=3)).fills:
        lines = {line.strip().encode() for line in found.texts[0].splitlines()} - {b""}
        assert lines and not lines <= {line.strip() for line in data.splitlines()}


OTHER = b"def keep(file, rows):\n    check(rows)\n    file.write(pack(rows))\n    file.flush()\n"
DRAWN = b"def save(file, rows):\n    check(rows)\n|\n    file.flush()\n"


@pytest.mark.model
@pytest.mark.parametrize("where", ["elsewhere", "repository"])
def test_a_bridge_may_quote_other_files(bundled_infiller: Infiller, where: str) -> None:
    at = DRAWN.index(b"|")
    data = DRAWN.replace(b"|", b"")
    asked = FillRequest(data, (), "python", alternatives=6)
    line = "    file.write(pack(rows))"

    def texts(request: FillRequest) -> list[str]:
        result = carry_out(bundled_infiller, bridge_task(data, at), request)
        return [found.texts[0] for found in result.fills]

    assert line not in texts(asked)
    quoted = (OTHER,) if where == "elsewhere" else LineIndex.of([("other.py", OTHER)])
    found = texts(replace(asked, **{where: quoted}))
    assert line in found and len(set(found)) == len(found)


def test_a_bridge_has_what_is_typed_there_and_several_lines_in_turn(infiller: Infiller) -> None:
    data = b"def f(x):\n    y = x\n\n    return y\n"
    at = data.index(b"\n\n") + 1
    asked = FillRequest(data, (), "python", alternatives=6)
    typed = infiller.infill(InfillRequest(data, at, "python", alternatives=6)).candidates
    lines = fill(infiller, replace(asked, holes=((at, at),), sizes=SIZES)).fills
    found = [f.texts[0].strip() for f in carry_out(infiller, bridge_task(data, at), asked).fills]
    sources = [{c.text.strip() for c in typed}, {f.texts[0].strip() for f in lines}]
    assert found and set(found) <= sources[0] | sources[1]
    assert found[0] in sources[0] and any(text in sources[1] - sources[0] for text in found)


def test_a_deadline_covers_both_halves_of_a_bridge(infiller: Infiller) -> None:
    data = b"def f(x):\n    y = x\n\n    return y\n"
    task = bridge_task(data, data.index(b"\n\n") + 1)
    result = carry_out(infiller, task, FillRequest(data, (), "python", deadline_ms=0.001))
    assert result.steps <= 2, "one pass each at most"


@pytest.mark.model
def test_a_name_is_more_probable_with_the_other_holes_in_view(bundled_infiller: Infiller) -> None:
    """Why canvases see each other: on small programs, the true name gains from it on average."""
    programs = [
        "class Stack:\n    def __init__(self, ⟦limit⟧):\n        self.size = ⟦limit⟧\n",
        "def mean(values):\n    ⟦total⟧ = 0\n    for value in values:\n        ⟦total⟧ += value\n",
        "for ⟦row⟧ in read(path):\n    print(⟦row⟧)\n",
        "def load(⟦path⟧):\n    with open(⟦path⟧) as handle:\n        return handle.read()\n",
    ]
    gains = []
    for program in programs:
        drawn = read_drawn(program)
        opened = open_parts(bundled_infiller, drawn.data, drawn.holes, "python", CancelToken())
        words = [
            place.slots_needed(bundled_infiller.tokenizer, drawn.data[start:end])
            for place, (start, end) in zip(opened.placements, drawn.holes, strict=True)
        ]
        for hole, place in enumerate(opened.placements):
            other = 1 - hole
            pins = list(opened.placements[other].pins)
            said = [
                judge(
                    with_others(opened.denoise, hole, {other: [*pins, *beside]}),
                    [FilledCanvas(place.pins, words[hole])],
                    bundled_infiller.vocabulary,
                )[0].mean_log_p
                for beside in (words[other], [MASK])
            ]
            gains.append(said[0] - said[1])
    assert sum(gains) / len(gains) > 0.3, gains
