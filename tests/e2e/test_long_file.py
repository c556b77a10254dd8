"""Asking all over a real file of more than 500 lines; in full: benchmarks/lsp_session.py."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from lsprotocol import types
from pytest_lsp import LanguageClient, make_test_lsp_client

from benchmarks.lsp_session import candidates, session, some_file, spread, table
from diffusion.pretrained import bundled_model_dir
from tests.support.lsp_process import ROOT, command, script

WEIGHTS = bundled_model_dir() / "model.safetensors"
needs_model = pytest.mark.skipif(
    not WEIGHTS.is_file(), reason=f"{WEIGHTS.name} of the model is not there"
)
URI = "file:///work/long.py"
POSITIONS = 12
LINES = some_file().read_text("utf-8").split("\n")


@pytest.fixture
async def client() -> AsyncIterator[LanguageClient]:
    client = make_test_lsp_client()
    await client.start_io(*command("--stdio"), cwd=ROOT)
    yield client
    await client.shutdown_session()
    await client.stop()


@pytest.mark.model
@needs_model
async def test_most_positions_get_candidates_from_the_bundled_model(
    client: LanguageClient,
) -> None:
    """Asked by key; whatever is not answered is explained."""
    assert len(LINES) > 500
    inline = types.InlineCompletionClientCapabilities()
    text_document = types.TextDocumentClientCapabilities(inline_completion=inline)
    capabilities = types.ClientCapabilities(text_document=text_document)
    await client.initialize_session(
        types.InitializeParams(
            capabilities=capabilities, initialization_options={"inline": {"alternatives": 1}}
        )
    )
    item = types.TextDocumentItem(URI, "python", 1, "\n".join(LINES))
    client.text_document_did_open(types.DidOpenTextDocumentParams(item))
    answered = []
    for row in range(0, len(LINES), len(LINES) // POSITIONS):
        at = types.Position(row, len(LINES[row]))
        result = await client.text_document_inline_completion_async(
            types.InlineCompletionParams(
                types.InlineCompletionContext(types.InlineCompletionTriggerKind.Invoked),
                types.TextDocumentIdentifier(URI),
                at,
            )
        )
        assert isinstance(result, types.InlineCompletionList)
        for found in result.items:
            assert str(found.insert_text).startswith(LINES[row])
        if not result.items:
            assert (await client.protocol.send_request_async("diffill/status", {})).reason
        answered.append(bool(result.items))
    assert len(answered) >= POSITIONS
    assert sum(answered) > len(answered) / 2


def test_the_benchmark_measures_a_session(tmp_path: Path) -> None:
    """With a script for a model that knows one place only."""
    text = "def f(a):\n    b = a + 1\n    return b\n\n\nprint(f(1))\n"
    places = spread(list(candidates(text)), 6)
    answer = {"before": "    b = ", "candidates": [{"text": "a"}]}
    line = [*command("--engine"), script(tmp_path, answer)]
    with (tmp_path / "log").open("wb") as log:
        result = session(text, places, line, "", log)
    assert (result["exit_code"], result["unexplained"], result["positions"]) == (0, 0, 6)
    assert result["by_work"]["by_key"]["requests"] == 6
    assert result["reasons"]["noCandidate"] > 0
    assert result["ms_p50"] <= result["ms_p95"] <= result["ms_p99"]
    head = {"file": "a.py", "lines": 6, "model": "", "machine": "", "initialize_ms": 1}
    assert "of 6 positions when asked by key" in table({**head, **result})


@pytest.mark.parametrize("kind", ["line_end", "mid_line", "new_line"])
def test_places_of_every_kind_are_spread_over_the_file(kind: str) -> None:
    chosen = spread(list(candidates("\n".join(LINES))), 50)
    rows = [place.line for place in chosen if place.kind == kind]
    assert len(chosen) == 50 and len(rows) >= 16
    assert max(rows) - min(rows) > len(LINES) / 2
