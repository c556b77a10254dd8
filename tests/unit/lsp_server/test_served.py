"""Whether what is chosen is what is served, and what is said where it is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from lsp_server.features import train
from tests.support.adapters import publish
from tests.support.lsp_wire import Wire
from tests.support.runs import over, program

SCRIPT = ()
pytestmark = pytest.mark.usefixtures("repository", "tiny_model_dir")


async def test_what_is_chosen_for_another_folder_is_not_served_and_it_is_said_what_to_write(
    wire: Wire, repository: Path, tmp_path: Path, tiny_model_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    second = tmp_path / "second"
    (second / ".git").mkdir(parents=True)
    here = {"repository": str(second)}
    publish(repository, tiny_model_dir, "one").select("one")
    adapters = publish(second, tiny_model_dir, "one").folder
    folders = [{"uri": path.as_uri(), "name": path.name} for path in (repository, second)]
    model = {"path": str(tiny_model_dir)}
    await wire.initialize(
        {"experimental": {"diffillTraining": True}},
        workspaceFolders=folders, initializationOptions={"model": model},
    )  # fmt: skip
    only = "only the tuning of the first open folder is served by itself; "
    to_write = f"write {adapters / 'one'} into diffill.model.adapter to serve one"
    answer = await wire.ask("diffill/model/select", {**here, "name": "one"})
    assert answer == {"selected": "one", "notServed": only + to_write}
    found = await wire.ask("diffill/model/list", here)
    assert [a["served"] for a in found["adapters"]] == [False] and not found["baseServed"]
    monkeypatch.setattr(train, "command", lambda *_: program({"event": "plan", "notes": ["a"]}))
    first, note = (await wire.ask("diffill/train/plan", here))["notes"]
    assert first == "a" and note.startswith(only) and f"write {adapters} into" in note
    assert (await wire.ask("diffill/train/plan"))["notes"] == ["a"]
    done = {"event": "done", "adapter": "one"}
    monkeypatch.setattr(train, "command", lambda *_: program(done))
    await wire.ask("diffill/train/start", here)
    await over(wire.server.training.job)
    told = [m["params"] for m in wire.sent if m.get("method") == "diffill/train/progress"]
    assert told == [{**done, "notServed": only + to_write}]
    model["adapter"] = str(adapters)  # what the plan says
    wire.notify("workspace/didChangeConfiguration", {"settings": {"diffill": {"model": model}}})
    answer = await wire.ask("diffill/model/select", {**here, "name": "one"})
    assert answer["notServed"] is None
    assert (await wire.ask("diffill/model/list", here))["adapters"][0]["served"]
    assert (await wire.ask("diffill/train/plan", here)) == done


@pytest.mark.parametrize(
    ("setting", "name", "said"),
    [
        ("none", "two", "diffill.model.adapter is none; write auto there to serve two"),
        ("one", "two", "diffill.model.adapter is one; write auto there to serve two"),
        ("one", None, "diffill.model.adapter is one; write auto there to serve the base model"),
        ("none", None, None),
        ("two", "two", None),
        ("gone", None, None),  # the base model is served where the setting names nothing
        ("gone", "two", "diffill.model.adapter: repository has no adapter called gone; choose "),
    ],
)
async def test_who_chooses_is_told_where_the_setting_has_another_one_served(
    wire: Wire, repository: Path, tiny_model_dir: Path,
    setting: str, name: str | None, said: str | None,
) -> None:  # fmt: skip
    publish(repository, tiny_model_dir, "one", "two")
    await wire.initialize(
        rootUri=repository.as_uri(),
        initializationOptions={"model": {"path": str(tiny_model_dir), "adapter": setting}},
    )
    answer = await wire.ask("diffill/model/select", {"name": name})
    assert answer["selected"] == name
    why = answer["notServed"]
    assert why is None if said is None else why.startswith(said)
    found = await wire.ask("diffill/model/list")
    served = [a["name"] for a in found["adapters"] if a["served"]]
    assert found["baseServed"] is not bool(served)
    assert served == [adapter for adapter in (setting,) if adapter in ("one", "two")]
