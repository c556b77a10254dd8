"""How many threads the model gets beside other programs, by a clock and processor times of ours."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import pytest

from diffusion.spare_cores import SpareCores, Usage, cores, read_usage


@dataclass
class Machine:
    """`others` cores are busy with other programs and `own` with this one, until that changes."""

    count: int
    others: float = 0.0
    own: float = 0.0
    now_s: float = 0.0
    reads: int = 0
    usage: Usage = field(default_factory=lambda: Usage(0.0, 0.0))

    def passes(self, seconds: float) -> None:
        self.now_s += seconds
        self.usage = Usage(
            self.usage.everything_s + seconds * (self.others + self.own),
            self.usage.own_s + seconds * self.own,
        )

    def read(self) -> Usage:
        self.reads += 1
        return self.usage

    def spare(self) -> SpareCores:
        return SpareCores(self.count, self.read, lambda: self.now_s)


@pytest.mark.parametrize(
    ("count", "others", "threads"),
    [
        (1, 0, 1),
        (2, 0, 2), (2, 0.3, 2), (2, 0.4, 1), (2, 1, 1), (2, 5, 1),
        (4, 0, 3), (4, 1.2, 3), (4, 1.5, 2),
        (8, 0, 7), (8, 6, 2), (8, 8, 1),
    ],
)
def test_the_model_gets_the_cores_that_others_leave(
    count: int, others: float, threads: int
) -> None:
    machine = Machine(count, others, own=0.5)
    spare = machine.spare()
    machine.passes(1.0)
    assert spare.threads() == threads


def test_what_the_model_itself_used_is_not_held_against_it() -> None:
    machine = Machine(2, others=0.0, own=2.0)
    spare = machine.spare()
    machine.passes(0.5)
    assert spare.threads() == 2


def test_a_build_that_begins_and_ends_is_followed() -> None:
    machine = Machine(2)
    spare = machine.spare()
    seen = []
    for machine.others in (0.0, 2.0, 2.0, 0.0):
        machine.passes(0.3)
        seen.append(spare.threads())
    assert seen == [2, 1, 1, 2]


def test_requests_in_quick_succession_share_one_look() -> None:
    machine = Machine(2)
    spare = machine.spare()
    machine.passes(0.2)
    assert spare.threads() == 2
    machine.others = 9.0
    machine.passes(0.05)
    assert spare.threads() == 2
    assert machine.reads == 2
    machine.passes(0.06)
    assert spare.threads() == 1


def test_before_anything_is_known_one_core_is_left_free() -> None:
    assert Machine(2).spare().threads() == 1
    assert Machine(8).spare().threads() == 7
    assert Machine(1).spare().threads() == 1


def test_the_system_says_what_this_process_used() -> None:
    before = read_usage()
    end = time.process_time() + 0.05
    while time.process_time() < end:
        pass
    after = read_usage()
    assert after.own_s - before.own_s >= 0.03
    assert after.everything_s >= before.everything_s
    assert cores() >= 1
