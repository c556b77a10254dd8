"""The autoregressive twin under the harness: scripted writing, lengths, and a folder of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from diffusion.data.fim import END, MIDDLE, PSM, SPM, SUFFIX
from diffusion.errors import CheckpointError, EvaluationError
from diffusion.evaluate.cases import Case
from diffusion.evaluate.infill_eval import evaluate_case
from diffusion.evaluate.twin_filler import TwinFiller, is_twin, load_twin
from diffusion.evaluate.twin_writing import Reader, write
from diffusion.evaluate.work import Plan, Work, load_filler
from diffusion.infill import Infiller
from diffusion.model.architecture import ModelRecipe, build_model
from diffusion.model.checkpoint import save_checkpoint
from diffusion.model.manifest import FIM
from diffusion.pretrained import bundled_tokenizer_path
from diffusion.process.vocabulary import Vocabulary
from diffusion.text.tokenizer import BOF, DEL, EOF, VOCAB_SIZE, Tokenizer
from tests.unit.evaluate.scripted import ADD

TOKENIZER = Tokenizer.load(bundled_tokenizer_path())
VOCABULARY = Vocabulary.build(TOKENIZER.token_bytes, TOKENIZER.vocab_size)


class ScriptedModel:
    """Prefers the ids of a script, one after another; after them END. Remembers what it read."""

    def __init__(self, script: Sequence[int]) -> None:
        self.script = tuple(script)
        self.prompts: list[tuple[int, ...]] = []
        self.read: list[int] = []

    def start(self, prompt: tuple[int, ...], more: int) -> tuple[Reader, torch.Tensor]:
        self.prompts.append(prompt)
        self.read = []
        return self, self._logits()

    def next(self, ids: tuple[int, ...]) -> torch.Tensor:
        self.read += ids
        return self._logits()

    def _logits(self) -> torch.Tensor:
        """The script's next token first, then END, then the special ids, then the rest."""
        logits_V = torch.zeros(VOCAB_SIZE)
        logits_V[[DEL, BOF, EOF, MIDDLE]] = 5.0
        logits_V[END] = 10.0
        if len(self.read) < len(self.script):
            logits_V[self.script[len(self.read)]] = 20.0
        return logits_V


def written(text: bytes, constraint: bytes = b"", budget: int = 20, exact: bool = False) -> object:
    found = write(
        ScriptedModel(TOKENIZER.encode(text)), (1, 2), VOCABULARY,
        constraint=constraint, budget=budget, exact=exact,
    )  # fmt: skip
    return TOKENIZER.decode(found.ids), found.ended, found.passes, found.spelled


def test_the_text_ends_at_end_and_costs_a_pass_a_token() -> None:
    tokens = len(TOKENIZER.encode(b"a + b"))
    assert written(b"a + b") == (b"a + b", True, tokens + 1, True)


def test_the_budget_ends_it_without_another_pass() -> None:
    assert written(b"a + b + c", budget=2) == (b"a +", False, 2, True)


def test_exact_writes_on_where_it_would_have_ended() -> None:
    model = ScriptedModel(TOKENIZER.encode(b"a"))
    found = write(model, (1,), VOCABULARY, constraint=b"", budget=4, exact=True)
    assert (len(found.ids), found.ended, found.passes) == (4, False, 4)
    assert all(token > EOF and VOCABULARY.token_bytes[token] for token in found.ids)


def test_the_typed_word_is_spelled_first_and_blank_text_does_not_end() -> None:
    text, _, _, spelled = written(b"x", constraint=b"retu")  # type: ignore[misc]
    assert spelled and text.startswith(b"retu")
    blank = ScriptedModel(TOKENIZER.encode(b"\n    "))
    found = write(blank, (1,), VOCABULARY, constraint=b"", budget=20, exact=False)
    assert TOKENIZER.decode(found.ids).strip()


def test_a_constraint_that_does_not_fit_is_said() -> None:
    assert written(b"x", constraint=b"\xff\xfe\xfd\xfc", budget=1)[3] is False  # type: ignore[index]


def test_a_completion_is_read_back_without_what_was_typed() -> None:
    case = Case("c", "python", "def f():\n    retu", "rn 1", "\n\nf()\n")
    model = ScriptedModel(TOKENIZER.encode(b"return 1"))
    row = evaluate_case(TwinFiller(model, TOKENIZER), case, "predicted")
    assert "error" not in row, row
    assert row["exact_match"] and row["completion"] == "rn 1"
    assert row["steps"] == row["tokens"] + 1 and 0 < row["confidence"] <= 1


def test_the_order_decides_what_is_read_last() -> None:
    for order, last in ((PSM, MIDDLE), (SPM, SUFFIX)):
        model = ScriptedModel(TOKENIZER.encode(b"a + b"))
        evaluate_case(TwinFiller(model, TOKENIZER, order=order), ADD, "predicted")
        (prompt,) = model.prompts
        assert (prompt[-1] == MIDDLE) == (last == MIDDLE)
        assert (MIDDLE in prompt) and prompt.index(SUFFIX) < prompt.index(MIDDLE)
    with pytest.raises(EvaluationError, match="'middle-out'"):
        TwinFiller(model, TOKENIZER, order="middle-out")


def test_lengths() -> None:
    needed = len(TOKENIZER.encode(b" a + b"))
    long = ScriptedModel(TOKENIZER.encode(b" a + b" * 40))
    filler = TwinFiller(long, TOKENIZER)
    tokens = {length: evaluate_case(filler, ADD, length)["tokens"] for length in ("oracle", 3, 64)}
    assert tokens == {"oracle": needed, 3: 3, 64: 64}
    assert evaluate_case(filler, ADD, "predicted")["tokens"] > 64
    assert "is unknown" in evaluate_case(filler, ADD, "half")["error"]


def test_it_stops_at_the_end_of_its_line_unless_told_how_much_to_write() -> None:
    model = ScriptedModel(TOKENIZER.encode(b" a + b\n    c()"))
    filler = TwinFiller(model, TOKENIZER)
    assert evaluate_case(filler, ADD, "predicted")["completion"].strip() == "a + b"
    free = TwinFiller(model, TOKENIZER, lines=True)
    assert "c()" in evaluate_case(free, ADD, "predicted")["completion"]
    longer = replace(ADD, middle=" a + b\n    c()")
    assert "c()" in evaluate_case(filler, longer, "oracle")["completion"]


def test_what_follows_on_the_line_is_not_written_again() -> None:
    case = replace(ADD, prefix="def f():\n    return g(", middle="a", suffix=")\n")
    model = ScriptedModel(TOKENIZER.encode(b"(a)"))
    assert evaluate_case(TwinFiller(model, TOKENIZER), case, "predicted")["completion"] == "a"


def test_windows_line_ends_are_kept() -> None:
    case = replace(ADD, prefix="def f():\r\n    x = 1\r\n    ", middle="y\r\n    z", suffix="\r\n")
    model = ScriptedModel(TOKENIZER.encode(b"\r\n    y\n    z"))
    row = evaluate_case(TwinFiller(model, TOKENIZER, lines=True), case, "predicted")
    assert row["completion"].endswith("y\r\n    z"), row


@pytest.fixture(scope="module")
def twin_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    recipe = ModelRecipe("tiny", width=64, layers=2, inner=96)
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("twin") / "tiny"
    save_checkpoint(
        folder, build_model(recipe, VOCAB_SIZE), bundled_tokenizer_path(),
        recipe=recipe, objective=FIM,
    )  # fmt: skip
    return folder


def test_a_folder_that_says_so_is_run_as_a_twin(twin_dir: Path, tiny_model_dir: Path) -> None:
    assert is_twin(twin_dir) and not is_twin(tiny_model_dir)
    plan = Plan(model=twin_dir, lengths=("oracle", 8))
    rows = Work(plan).rows(ADD)
    assert [row.get("error") for row in rows] == [None] * 2
    assert rows[1]["tokens"] <= 8
    assert load_filler(Plan(model=tiny_model_dir)).name == "diffill"


def test_neither_is_taken_for_the_other(twin_dir: Path, tiny_model_dir: Path) -> None:
    with pytest.raises(CheckpointError, match="autoregressive twin, which fills no canvas"):
        Infiller.load(twin_dir)
    with pytest.raises(CheckpointError, match="holds no autoregressive twin"):
        load_twin(tiny_model_dir)
