"""The threads of the model: one core is left free, and the environment has the last word."""

from __future__ import annotations

import os

import pytest

from diffusion import threads
from diffusion.spare_cores import SpareCores


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setenv("GOMP_SPINCOUNT", "")
    monkeypatch.delenv("GOMP_SPINCOUNT")
    monkeypatch.setenv("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "")
    monkeypatch.delenv("ONEDNN_PRIMITIVE_CACHE_CAPACITY")


def test_one_core_is_left_to_the_rest_of_the_machine() -> None:
    assert threads.settle() == max(threads.cores() - 1, 1)
    assert threads.cores() >= 1


def test_what_is_asked_for_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert threads.settle(2) == 2


def test_the_environment_has_the_last_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.setenv("GOMP_SPINCOUNT", "7")
    assert threads.settle() is None
    assert os.environ["GOMP_SPINCOUNT"] == "7"


def test_threads_do_not_spin_for_long() -> None:
    threads.settle()
    assert int(os.environ["GOMP_SPINCOUNT"]) <= 1000


def test_few_shapes_are_kept_unless_the_environment_says_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    threads.settle(1)
    assert 0 < int(os.environ["ONEDNN_PRIMITIVE_CACHE_CAPACITY"]) < 1024
    monkeypatch.setenv("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "1024")
    threads.settle(1)
    assert os.environ["ONEDNN_PRIMITIVE_CACHE_CAPACITY"] == "1024"


def test_what_follows_the_load_is_used_only_where_nobody_said_how_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert isinstance(threads.follow(), SpareCores)
    assert threads.follow(3) == 3
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert threads.follow() is None
