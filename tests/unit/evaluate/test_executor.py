"""The executor: what passes, and every way in which a program must not pass.

These start real processes in the jail; nothing here waits longer than the programs' own limit.
"""

from __future__ import annotations

import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from diffusion.evaluate.cases import read_cases
from diffusion.evaluate.executor import PythonExecutor, program, syntax_error
from tests.unit.evaluate.scripted import ADD

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no jail on Windows")

EXAMPLES = Path(__file__).parents[3] / "benchmarks" / "cases" / "examples.jsonl"
NEEDS_LANDLOCK = "this kernel has no Landlock, so only growing files is forbidden"


@pytest.fixture(scope="module")
def executor() -> PythonExecutor:
    return PythonExecutor(memory_mb=512)


def outcome(executor: PythonExecutor, completion: str) -> str:
    got = executor.execute(ADD, completion)
    assert got is not None
    assert got.passed == (got.outcome == "passed")
    return got.outcome


NAMED = "import ctypes; ctypes.CDLL(None).prctl(15, b'left-behind', 0, 0, 0)"
"""Gives the process a name, which its children inherit."""


def left_behind() -> list[str]:
    """Processes of that name."""
    found = []
    for name in Path("/proc").glob("[0-9]*/comm"):
        try:
            found += [str(name)] * (name.read_text() == "left-behind\n")
        except OSError:
            continue  # it has just ended
    return found


def test_the_reference_passes(executor: PythonExecutor) -> None:
    assert outcome(executor, ADD.middle) == "passed"


def test_our_own_cases_pass_with_their_references(executor: PythonExecutor) -> None:
    runnable = [case for case in read_cases(EXAMPLES) if case.test is not None]
    assert len(runnable) >= 3
    for case in runnable:
        got = executor.execute(case, case.middle)
        assert got is not None and got.passed, (case.task_id, got)


@pytest.mark.parametrize(
    ("completion", "said"),
    [
        ("a - b", "failed: AssertionError"),
        ("a + (", "failed: SyntaxError"),
        ("", "failed: AssertionError"),
        ("a + b\nimport os; os._exit(0)", "failed: it ended before its tests did"),
        ("a + b\nraise SystemExit(0)", "failed: it ended before its tests did"),
        ("a + b\nx = bytearray(1 << 31)", "failed: MemoryError"),
        ("a + b\nopen('new', 'w').write('x')", "failed: "),
        ("\ud800", "failed: the program is not UTF-8"),
        ("a + b\nwhile True: print('x' * 1000)", "failed: too much output"),
        (
            "a - b\nimport re\n"
            "for word in re.findall('[0-9a-f]+', open(__file__).read()): print(word)\n"
            "raise SystemExit(0)",
            "failed: it ended before its tests did",
        ),
    ],
)
def test_these_fail(executor: PythonExecutor, completion: str, said: str) -> None:
    assert outcome(executor, completion).startswith(said)


@pytest.mark.parametrize(
    "more",
    [
        "import atexit; atexit.register(print, 'more')",
        "import atexit; atexit.register(print, 'x' * 9000)",
        "import threading as t\nmain = t.current_thread()\n"
        "t.Thread(target=lambda: (main.join(), print('more'))).start()",
    ],
)
def test_what_is_said_after_the_tests_changes_nothing(executor: PythonExecutor, more: str) -> None:
    assert outcome(executor, f"a + b\n{more}") == "passed"
    assert outcome(executor, f"a - b\n{more}").startswith("failed: AssertionError")


def test_a_set_has_the_same_order_in_every_run(executor: PythonExecutor) -> None:
    code = "a + b\nraise RuntimeError(list({'a', 'b', 'c', 'd', 'e', 'f'}))"
    assert len({outcome(executor, code) for _ in range(12)}) == 1


def test_waiting_for_ever_is_ended_by_the_clock() -> None:
    executor = PythonExecutor(wall_s=0.4)
    assert outcome(executor, "a + b\nimport time; time.sleep(600)") == "timed out"


@pytest.mark.slow
def test_an_endless_loop_is_ended_by_its_processor_time() -> None:
    executor = PythonExecutor(cpu_s=1, wall_s=600.0)
    assert outcome(executor, "a + b\nwhile True: pass") == "timed out"


def test_a_fork_bomb_ends_and_leaves_nothing(executor: PythonExecutor) -> None:
    if not {"user", "processes"} & set(executor.layers) and os.geteuid() == 0:
        pytest.skip("root without a process namespace cannot be bounded here")
    bomb = f"a + b\n{NAMED}\nimport os\nwhile True: os.fork()"
    got = PythonExecutor(wall_s=0.8).execute(ADD, bomb)
    assert got is not None and not got.passed
    assert not left_behind()


def test_what_outlives_the_program_is_killed(executor: PythonExecutor) -> None:
    """The orphan holds the output pipe open: were it alive, `execute` would not return."""
    orphan = f"a + b\n{NAMED}\nimport os, time\n"
    orphan += "if os.fork() == 0:\n    os.setsid(); time.sleep(600)"
    assert outcome(executor, orphan) == "passed"
    assert not left_behind()


def test_files_cannot_be_removed_or_made(executor: PythonExecutor, tmp_path: Path) -> None:
    if "landlock" not in executor.layers:
        pytest.skip(NEEDS_LANDLOCK)
    tmp_path.chmod(0o777)
    victim = tmp_path / "victim"
    victim.touch(0o666)
    assert "Error" in outcome(executor, f"a + b\nimport os; os.remove({str(victim)!r})")
    assert "Error" in outcome(executor, f"a + b\nimport os; os.mkdir({str(tmp_path / 'd')!r})")
    assert [p.name for p in tmp_path.iterdir()] == ["victim"]


def test_the_network_is_out_of_reach(executor: PythonExecutor) -> None:
    if "network" not in executor.layers:
        pytest.skip("this kernel grants no network namespace")
    code = "a + b\nimport socket\nassert [n for _, n in socket.if_nameindex()] in ([], ['lo'])\n"
    assert outcome(executor, code) == "passed", "there is nothing to go out by"
    code += "s = socket.socket(); s.connect(('127.0.0.1', 9))"
    assert outcome(executor, code).startswith("failed: ")


def test_the_report_cannot_be_written_by_the_program(executor: PythonExecutor) -> None:
    held = [os.dup(0) for _ in range(80)]  # the pipe's number is above what is closed in bulk
    try:
        code = "a + b\nimport os\nfor fd in range(3, 200):\n    try: os.write(fd, b'{}')\n"
        code += "    except OSError: pass\n    else: raise SystemExit('it was written')\n"
        assert outcome(executor, code) == "passed"
    finally:
        for fd in held:
            os.close(fd)


def test_the_environment_is_bare(executor: PythonExecutor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_THING", "1")
    code = "a + b\nimport os\nassert 'SECRET_THING' not in os.environ and 'HOME' not in os.environ"
    assert outcome(executor, code) == "passed"


def test_cases_without_a_python_test_are_not_run(executor: PythonExecutor) -> None:
    for case in (
        replace(ADD, test=None),
        replace(ADD, language="go"),
        replace(ADD, test_kind="stdio"),
        replace(ADD, test_kind="humaneval", entry_point=None),
    ):
        assert executor.execute(case, case.middle) is None and not executor.runs(case)
    assert executor.runs(ADD)


def test_an_append_case_runs_its_test_as_it_stands() -> None:
    case = replace(ADD, test="assert add(1, 2) == 3", entry_point=None)
    source = program(case, case.middle, "t")
    assert source is not None and "check(" not in source


@pytest.mark.parametrize("source", ["x = (", "if x:\nprint(1)\n", "x = 1\0", "(" * 5000, "\tx\n y"])
def test_what_does_not_compile_is_known_without_running_it(source: str) -> None:
    assert syntax_error(source.encode("utf-8", "surrogatepass"))
    assert syntax_error(b"x = 1 is 1\nraise SystemExit\n") is None  # a warning is no error
    assert syntax_error("\ufeffx = 1\n".encode()) is None  # nor is a mark of the encoding


@pytest.mark.skipif(getattr(os, "geteuid", lambda: 1)() != 0, reason="only root gives rights up")
def test_a_private_folder_for_temporary_files_costs_no_confinement(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.chmod(0o700)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert set(PythonExecutor().layers) >= set(_layers_elsewhere(monkeypatch))


def _layers_elsewhere(monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    monkeypatch.setattr(tempfile, "tempdir", "/tmp")
    return PythonExecutor().layers
