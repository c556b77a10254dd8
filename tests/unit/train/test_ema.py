"""The average of the weights: what it is, and that it comes and goes whole."""

from __future__ import annotations

import torch

from diffusion.train.ema import WeightAverage


def weights(model: torch.nn.Linear) -> float:
    return float(model.weight.detach().sum())


def test_the_average_follows_and_is_put_in_place_for_a_while() -> None:
    model = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.constant_(model.weight, 1.0)
    average = WeightAverage(model, 0.9)
    torch.nn.init.constant_(model.weight, 2.0)
    average.update(1_000)
    assert weights(model) == 2.0
    with average.in_place():
        assert abs(weights(model) - 1.1) < 1e-6
    assert weights(model) == 2.0


def test_early_on_the_average_is_short() -> None:
    model = torch.nn.Linear(1, 1, bias=False)
    average = WeightAverage(model, 0.999)
    torch.nn.init.constant_(model.weight, 5.0)
    average.update(0)
    before = average.tensors()["weight"].item()
    assert abs(before - 5.0) < 0.7  # a tenth of the start is left


def test_no_decay_is_no_average() -> None:
    model = torch.nn.Linear(2, 2)
    average = WeightAverage(model, 0.0)
    average.update(3)
    assert not average.tensors()
    with average.in_place():
        assert not average.tensors()


def test_it_restarts_from_what_was_stored_or_from_the_weights() -> None:
    model = torch.nn.Linear(1, 1, bias=False)
    average = WeightAverage(model, 0.5)
    average.restart({"weight": torch.tensor([[7.0]])})
    assert average.tensors()["weight"].item() == 7.0
    average.restart()
    assert average.tensors()["weight"].item() == weights(model)
