"""What passes say of texts that no row writes, from scripted probabilities."""

from __future__ import annotations

import math
from collections.abc import Mapping

from diffusion.process.canvas_state import CanvasState
from diffusion.process.overheard import Overheard
from diffusion.process.sampler import sample
from diffusion.process.sampler_config import SamplerConfig
from diffusion.process.unmasking import LeftmostFirst
from diffusion.text.tokenizer import DEL, MASK
from tests.support.denoisers import ScriptedDenoiser, byte_id, byte_ids, byte_vocabulary

VOCABULARY = byte_vocabulary()
ONE_BY_ONE = SamplerConfig(order=LeftmostFirst(max_extra=0), allow_empty=False)
PIN = byte_ids("=")


def model(says: Mapping[str, Mapping[str, float]]) -> ScriptedDenoiser:
    """After each text on the canvas (pins left out), what comes next; "." ends it."""

    def script(call: int, ids: tuple[int, ...], position: int) -> dict[int, float]:
        written = "".join(chr(token - byte_id("\0")) for token in ids[1:position] if token > DEL)
        found = says.get(written, {".": 0.99})
        return {DEL if text == "." else byte_id(text): p for text, p in found.items()}

    return ScriptedDenoiser(VOCABULARY.size, script)


def listen(
    says: Mapping[str, Mapping[str, float]], *texts: str, forks: int = 0
) -> list[tuple[float, ...]]:
    overheard = Overheard([byte_ids(text) for text in texts])
    canvas = CanvasState(PIN + (MASK,) * 6, 1, forks=forks)
    denoiser = model(says)
    alone = sample(denoiser, [canvas], ONE_BY_ONE, vocabulary=VOCABULARY)
    calls = len(denoiser.calls)
    results = sample(
        denoiser, [canvas], ONE_BY_ONE, vocabulary=VOCABULARY, overheard=overheard
    )  # fmt: skip
    assert results == alone and len(denoiser.calls) == 2 * calls, "who listens changes nothing"
    return overheard.heard()


def p_of(heard: tuple[float, ...]) -> list[float]:
    return [round(math.exp(log_p), 3) for log_p in heard]


ABC = {"": {"a": 0.7, "x": 0.2}, "a": {"b": 0.6, "y": 0.3}, "ab": {"c": 0.9}}


def test_a_text_is_heard_up_to_where_the_row_leaves_it() -> None:
    same, second, third = listen(ABC, "abc", "ayz", "xbc")
    assert p_of(same) == [0.7, 0.6, 0.9, 0.99]
    assert p_of(second) == [0.7, 0.3]
    assert p_of(third) == [0.2]


def test_the_end_of_a_text_is_one_of_its_tokens() -> None:
    shorter, longer = listen({**ABC, "ab": {"c": 0.9, ".": 0.08}}, "ab", "abcd")
    assert p_of(shorter) == [0.7, 0.6, 0.08]
    assert p_of(longer)[:3] == [0.7, 0.6, 0.9] and len(longer) == 4


def test_a_fork_is_heard_where_its_row_is_not() -> None:
    near = {"": {"a": 0.5, "x": 0.45}, "x": {"y": 0.8}}
    (without,) = listen(near, "xy")
    (with_fork,) = listen(near, "xy", forks=1)
    assert p_of(without) == [0.45]
    assert p_of(with_fork) == [0.45, 0.8, 0.99]


def test_of_several_rows_the_kindest_is_heard() -> None:
    """Two canvases with the same text, and a model that likes longer ones better."""

    def script(call: int, ids: tuple[int, ...], position: int) -> dict[int, float]:
        return {byte_id("a"): 0.6, byte_id("b"): 0.1 * (len(ids) - 3)}

    overheard = Overheard([byte_ids("b")])
    sample(
        ScriptedDenoiser(VOCABULARY.size, script),
        [CanvasState(PIN + (MASK,) * slots, 1) for slots in (3, 4)],
        ONE_BY_ONE, vocabulary=VOCABULARY, overheard=overheard,
    )  # fmt: skip
    (heard,) = overheard.heard()
    assert p_of(heard) == [0.2]


def test_nothing_is_heard_where_nobody_spoke() -> None:
    assert Overheard([byte_ids("b"), ()]).heard() == [(), ()]


def test_the_kinder_of_two_rows_is_heard_also_where_it_speaks_first() -> None:
    def script(call: int, ids: tuple[int, ...], position: int) -> dict[int, float]:
        return {byte_id("a"): 0.6, byte_id("b"): 0.1 * (len(ids) - 3)}

    overheard = Overheard([byte_ids("b")])
    sample(
        ScriptedDenoiser(VOCABULARY.size, script),
        [CanvasState(PIN + (MASK,) * slots, 1) for slots in (4, 3)],
        ONE_BY_ONE, vocabulary=VOCABULARY, overheard=overheard,
    )  # fmt: skip
    (heard,) = overheard.heard()
    assert p_of(heard) == [0.2]


def test_what_is_heard_behind_a_gap_is_not_told() -> None:
    """One row leaves the text at once, the other one has its first two tokens written already."""
    overheard = Overheard([byte_ids("abc")])
    sample(
        model({"": {"x": 0.7, "a": 0.2}, "ab": {"c": 0.6}}),
        [CanvasState(PIN + (MASK,) * 4, 1), CanvasState(PIN + byte_ids("ab") + (MASK,) * 2, 1)],
        ONE_BY_ONE, vocabulary=VOCABULARY, overheard=overheard,
    )  # fmt: skip
    assert {0, 2} < overheard._said[0].keys() and 1 not in overheard._said[0]
    (heard,) = overheard.heard()
    assert p_of(heard) == [0.2]
