"""Held-out units do not move when packages are added; shares and package limits hold."""

from __future__ import annotations

import os
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from diffusion.data.plan import Plan, cut_shards
from diffusion.data.selection import budgets, common_limit, select
from diffusion.data.split import choose_validation, unit_hash, units_of


def test_a_small_package_is_one_unit_and_a_large_one_is_cut_by_folder() -> None:
    files = [("setup.py", 10), ("core/a.py", 40), ("core/b.py", 30), ("web/x/c.py", 60)]
    assert units_of("p", files, small_bytes=200) == ["p"] * 4
    assert units_of("p", files, small_bytes=80) == ["p/.", "p/core", "p/core", "p/web"]
    assert units_of("p", files, small_bytes=50) == ["p/.", "p/core/.", "p/core/.", "p/web/x/."]


def test_adding_packages_moves_nothing() -> None:
    some = {("python", f"package{i}"): 1000 for i in range(2000)}
    more = some | {("python", f"added{i}"): 500 for i in range(2000)}
    before, after = choose_validation(some, 0.01), choose_validation(more, 0.01)
    assert 5 < len(before) < 40
    assert before == {pair for pair in after if pair in some}


def test_a_language_with_too_little_gets_the_units_with_the_next_lowest_hashes() -> None:
    sizes = {("go", f"g{i}"): 100 for i in range(40)} | {("c", "only"): 100}
    share = min(unit_hash(f"g{i}") for i in range(40)) / 2  # no unit is below it
    assert choose_validation(sizes, share) == {
        ("go", min((f"g{i}" for i in range(40)), key=unit_hash))
    }
    by_hash = sorted((f"g{i}" for i in range(40)), key=unit_hash)
    share = unit_hash(by_hash[2])
    more = {("go", name): 100 if name in by_hash[:2] else 1000 for name in by_hash}
    chosen = {unit for _, unit in choose_validation(more, share)}
    assert set(by_hash[:2]) < chosen and by_hash[2] in chosen


def test_a_unit_that_is_most_of_its_language_is_not_held_out_to_fill_up() -> None:
    sizes = {("c", "large"): 900, ("c", "small"): 50, ("c", "other"): 50}
    assert ("c", "large") not in choose_validation(sizes, 1e-9)


def test_a_share_of_nothing_holds_nothing_out() -> None:
    sizes = {("c", "large"): 900, ("c", "small"): 50, ("go", "a"): 0, ("go", "b"): 10}
    assert choose_validation(sizes, 0.0) == frozenset()
    assert choose_validation(sizes, 1e-9)


@given(st.lists(st.integers(1, 100), min_size=1, max_size=20), st.integers(1, 500))
def test_common_limit_spends_the_budget(sizes: list[int], budget: int) -> None:
    limit = common_limit(sizes, budget)
    used = sum(min(size, limit) for size in sizes)
    assert abs(used - min(budget, sum(sizes))) < 1e-6


def test_the_language_with_the_largest_share_sets_the_size() -> None:
    budget = budgets({"python": 500, "go": 900, "c": 10}, {"python": 0.5, "go": 0.2})
    assert budget == {"python": 500, "go": 200, "c": float("inf")}


def test_selection_trims_the_largest_package_of_a_language_that_is_over() -> None:
    files = [("big", f"{i}.go", "go", 10) for i in range(100)]
    files += [("small", f"{i}.go", "go", 10) for i in range(5)]
    files += [("py", f"{i}.py", "python", 10) for i in range(40)]
    keep = select(files, {"python": 0.8, "go": 0.2}, package_share=1.0)
    kept = Counter(file[0] for file, k in zip(files, keep, strict=True) if k)
    assert kept == {"big": 5, "small": 5, "py": 40}


def test_no_package_exceeds_its_share_of_the_whole() -> None:
    files = [
        (f"p{p}", f"{i}.py", "python", 10) for p in range(10) for i in range(10 + 30 * (p == 0))
    ]
    keep = select(files, {}, package_share=0.1)
    kept = Counter(file[0] for file, k in zip(files, keep, strict=True) if k)
    assert kept["p0"] == 13
    assert kept["p1"] == 10


def test_selection_keeps_the_same_files_when_another_package_is_added() -> None:
    files = [("a", f"{i}.py", "python", 10) for i in range(50)]
    first = select(files, {}, package_share=0.5)
    more = [*files, *[("b", f"{i}.py", "python", 10) for i in range(50)]]
    kept_now = {f for f, k in zip(more, select(more, {}, 0.5), strict=True) if k}
    assert {f for f, k in zip(files, first, strict=True) if k} <= kept_now


def test_names_that_are_no_utf8_are_placed_like_others() -> None:
    odd = os.fsdecode(b"caf\xe9.py")
    files = [("a", odd, "python", 10), ("a", "b.py", "python", 10)]
    assert select(files, {}, package_share=1.0) == [True, True]
    assert choose_validation({("python", f"a/{odd}"): 10}, 1.0) == {("python", f"a/{odd}")}
    (shard,) = cut_shards("train", "python", [("a", odd, 10), ("a", "b.py", 10)], 1000)
    assert set(shard.files) == {("a", odd), ("a", "b.py")}
    assert Plan((shard,), {}).digest
