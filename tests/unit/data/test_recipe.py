"""The recipe refuses what it must not download; the lock survives a round trip."""

from __future__ import annotations

from pathlib import Path

import pytest

from diffusion.data.errors import RecipeError
from diffusion.data.recipe import Archive, Lock, load_lock, load_recipe, save_lock

SHIPPED = Path(__file__).parents[3] / "diffusion" / "data" / "recipe.toml"


def recipe(folder: Path, **entry: str) -> Path:
    fields = {"client": "npm", "package": "@scope/name", "licence": "MIT"} | entry
    lines = "".join(f'{key} = "{value}"\n' for key, value in fields.items() if value)
    path = folder / "recipe.toml"
    path.write_text(f"[[source]]\n{lines}", encoding="utf-8")
    return path


def test_a_name_is_made_from_a_scoped_package(tmp_path: Path) -> None:
    assert load_recipe(recipe(tmp_path)).sources[0].name == "scope-name"


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"licence": "GPL-3.0"}, "GPL-3.0"),
        ({"licence": "MIT AND LGPL-2.1"}, "LGPL-2.1"),
        ({"client": "curl"}, "curl"),
        ({"package": ""}, "package"),
    ],
)
def test_bad_entries_are_named(tmp_path: Path, entry: dict[str, str], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        load_recipe(recipe(tmp_path, **entry))


def test_a_choice_of_licences_needs_one_permissive_one(tmp_path: Path) -> None:
    assert load_recipe(recipe(tmp_path, licence="GPL-2.0 OR Apache-2.0")).sources


def test_missing_and_malformed_files(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"no recipe at .*absent\.toml"):
        load_recipe(tmp_path / "absent.toml")
    (tmp_path / "bad.toml").write_text("[[source]\n")
    with pytest.raises(RecipeError, match="not valid TOML"):
        load_recipe(tmp_path / "bad.toml")
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(RecipeError, match="damaged"):
        load_lock(tmp_path / "bad.json")


def test_lock_round_trip(tmp_path: Path) -> None:
    locks = {"b": Lock("1.0", (Archive("b.whl", "00ff", 12),)), "a": Lock("2", ())}
    save_lock(tmp_path / "lock.json", locks)
    assert load_lock(tmp_path / "lock.json") == locks
    assert load_lock(tmp_path / "none.json") == {}


def test_the_shipped_recipe_is_locked_and_names_no_place() -> None:
    shipped = load_recipe(SHIPPED)
    locks = load_lock(SHIPPED.with_suffix(".lock.json"))
    assert {source.name for source in shipped.sources} == set(locks)
    for source in shipped.sources:
        assert source.client == "interpreter" or locks[source.name].archives, source.name
    text = SHIPPED.read_text() + SHIPPED.with_suffix(".lock.json").read_text()
    assert "://" not in text and "/home" not in text and "/work" not in text


def test_the_evaluated_repositories_are_not_in_the_recipe() -> None:
    packages = {source.package.lower() for source in load_recipe(SHIPPED).sources}
    evaluated = {
        "frigate",
        "graphcast",
        "gotify",
        "cruise-control",
        "mermaid",
        "mermaid-live-editor",
    }
    evaluated |= {"id", "pythondotorg", "docs.rs", "docs-rs", "yazi", "human-eval", "mbpp"}
    assert not packages & evaluated
