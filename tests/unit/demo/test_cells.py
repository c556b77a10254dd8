"""A recorded run becomes frames that say what the sampler did."""

from __future__ import annotations

from diffusion.demo.cells import CellState, Recorder, frames, row_of
from diffusion.process.canvas_state import CanvasState
from diffusion.process.sampler import sample
from diffusion.process.sampler_config import SamplerConfig
from diffusion.process.unmasking import LeftmostFirst
from diffusion.text.tokenizer import DEL, MASK
from tests.support.denoisers import ScriptedDenoiser, byte_id, byte_ids, byte_vocabulary

VOCABULARY = byte_vocabulary()


def _record(text: str, slots: int, pins: str = "x=", p: float = 0.5) -> Recorder:
    """Sample one canvas `pins` + `slots` with a denoiser that knows the text."""
    start = len(pins)

    def script(_call: int, _ids: tuple[int, ...], position: int) -> dict[int, float]:
        i = position - start
        return {byte_id(text[i]) if i < len(text) else DEL: p}

    recorder = Recorder()
    sample(
        ScriptedDenoiser(VOCABULARY.size, script),
        [CanvasState((*byte_ids(pins), *([MASK] * slots)), pins=start)],
        SamplerConfig(),
        vocabulary=VOCABULARY,
        on_step=recorder,
    )
    return recorder


def _draw(recorder: Recorder) -> list[str]:
    marks = {CellState.MASKED: "_", CellState.ENDED: "|"}
    return [
        "".join(marks.get(cell.state) or cell.data.decode() for cell in frame[0])
        for frame in frames(recorder, VOCABULARY.token_bytes.__getitem__)
    ]


def test_one_frame_for_the_start_and_one_for_each_step() -> None:
    assert _draw(_record("abc", 5)) == [
        "x=_____",
        "x=a____",
        "x=ab___",
        "x=abc__",
        "x=abc||",
    ]


def test_pins_are_told_from_commits_and_a_commit_keeps_its_probability() -> None:
    last = frames(_record("ab", 3), VOCABULARY.token_bytes.__getitem__)[-1][0]
    assert [cell.state for cell in last] == [
        CellState.PINNED,
        CellState.PINNED,
        CellState.COMMITTED,
        CellState.COMMITTED,
        CellState.ENDED,
    ]
    assert all(0.5 <= cell.p < 0.6 for cell in last[2:4])


def test_several_commits_of_one_step_share_a_frame() -> None:
    assert _draw(_record("abc", 3, p=0.9999)) == ["x=___", "x=abc"]


def test_the_answer_is_found_among_the_rows() -> None:
    short = frames(_record("ab", 3), VOCABULARY.token_bytes.__getitem__)[-1]
    long = frames(_record("abcd", 5), VOCABULARY.token_bytes.__getitem__)[-1]
    both = (*short, *long)
    assert row_of(both, "abcd") == 1
    assert row_of(both, "ab") == 0


def test_nothing_recorded_is_nothing_to_draw() -> None:
    assert frames(Recorder(), VOCABULARY.token_bytes.__getitem__) == []
    assert Recorder().before_steps_ms == 0.0


def test_a_row_that_is_split_off_is_drawn_as_its_parent_until_then() -> None:
    def script(_call: int, ids: tuple[int, ...], position: int) -> dict[int, float]:
        doubtful = {byte_id("b"): 0.5, byte_id("c"): 0.4}
        return doubtful if position == 1 else {byte_id("ad"[position > 0]): 0.99}

    recorder = Recorder()
    sample(
        ScriptedDenoiser(VOCABULARY.size, script),
        [CanvasState((MASK,) * 3, forks=1)],
        SamplerConfig(order=LeftmostFirst(max_extra=0)),
        vocabulary=VOCABULARY,
        on_step=recorder,
    )
    drawn = [
        ["".join(cell.data.decode() or "_" for cell in row) for row in frame]
        for frame in frames(recorder, VOCABULARY.token_bytes.__getitem__)
    ]
    assert drawn == [["___", "___"], ["a__", "a__"], ["ab_", "ac_"], ["abd", "acd"]]
