"""The `post-commit` hook: what it starts, and what it leaves alone."""

from __future__ import annotations

import json
import os
import select
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from diffusion.errors import TrainingError
from diffusion.train import commit_hook
from diffusion.train.tune_cli import app

_LONG_S = 30.0
needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "a repository"
    root.mkdir()
    git(root, "init", "-q")
    (root / "a.txt").write_text("one\n")
    git(root, "add", "a.txt")
    return root


def git(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    names = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]
    env = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    done = subprocess.run(
        ["git", *names, *words], cwd=root, capture_output=True, text=True, check=False, env=env,
        timeout=_LONG_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done


def hook(root: Path) -> Path:
    return root / ".git" / "hooks" / "post-commit"


@needs_git
def test_a_commit_starts_the_run_and_does_not_wait_for_it(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    fake = tmp_path / "fake python"
    # Opening a pipe to write waits until somebody reads: were the commit to wait, so would this.
    fake.write_text(f'#!/bin/sh\necho "$PWD|$GIT_DIR|$*" > {pipe}\nexit 9\n')
    fake.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(fake))
    assert commit_hook.install(repository, 20.0) == hook(repository)
    done = git(repository, "commit", "-q", "-m", "one")
    assert done.stdout == ""
    reader = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
    assert select.select([reader], [], [], _LONG_S)[0], "the hook started nothing"
    told = os.read(reader, 4096).decode().strip()
    os.close(reader)
    wanted = "-P -m diffusion train . --keep-up --minutes-per-day 20"
    assert told == f"{repository.resolve()}||{wanted}"


@needs_git
def test_a_run_that_cannot_start_fails_no_commit(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/gone/python")
    commit_hook.install(repository, 20.0)
    done = git(repository, "commit", "-m", "one")
    assert "gone" not in done.stderr
    assert git(repository, "log", "--format=%s").stdout == "one\n"


@needs_git
def test_the_hook_tunes_the_model_that_is_named(
    repository: Path, tiny_model_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # the hook runs in the repository
    (tmp_path / "my model").symlink_to(tiny_model_dir)
    words = [str(repository), "--install-hook", "--model"]
    answer = CliRunner().invoke(app, [*words, "none"])
    assert answer.exit_code == 2 and "is no model" in answer.stderr
    assert not hook(repository).exists(), "a commit would tell nobody"
    answer = CliRunner().invoke(app, [*words, "my model"])
    assert answer.exit_code == 0, answer.output
    assert f"--keep-up --minutes-per-day 30 --model '{tmp_path}/my model')" in (
        hook(repository).read_text()
    )
    answer = CliRunner().invoke(app, [str(repository), "--remove-hook", "--model", "my model"])
    assert answer.exit_code == 2 and "would do nothing" in answer.stderr


@needs_git
def test_the_hook_is_renewed_and_taken_out(repository: Path) -> None:
    for words in (("--install-hook", "--minutes-per-day", "5"), ("--install-hook",)):
        answer = CliRunner().invoke(app, [str(repository), *words])
        assert answer.exit_code == 0 and "after every commit" in answer.stdout
    assert "--minutes-per-day 30" in hook(repository).read_text()
    assert hook(repository).stat().st_mode & stat.S_IXUSR
    answer = CliRunner().invoke(app, [str(repository), "--remove-hook", "--json"])
    assert json.loads(answer.stdout) == {"hook": str(hook(repository)), "installed": False}
    assert not hook(repository).exists()
    answer = CliRunner().invoke(app, [str(repository), "--remove-hook"])
    assert answer.exit_code == 2 and "there is no" in answer.stderr


@needs_git
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere such a name cannot be")
def test_a_hook_with_a_path_that_is_no_utf_8_is_renewed_and_taken_out(
    repository: Path, tmp_path: Path
) -> None:
    odd = tmp_path / os.fsdecode(b"mod\xe8le")
    for minutes in (5.0, 6.0):
        commit_hook.install(repository, minutes, odd)
    assert b"-day 6 --model" in hook(repository).read_bytes()
    assert os.fsencode(odd) in hook(repository).read_bytes()
    assert commit_hook.remove(repository) == hook(repository)
    assert not hook(repository).exists()
    git(repository, "commit", "-q", "-m", "one")
    git(repository, "worktree", "add", "-q", str(tmp_path / "worktree"))
    repository = repository.rename(odd)
    git(repository, "worktree", "repair")  # git names the repository to it, in full
    assert commit_hook.install(tmp_path / "worktree", 5.0) == hook(repository)
    assert commit_hook.remove(tmp_path / "worktree") == hook(repository)


@needs_git
@pytest.mark.parametrize("kind", ["file", "link"])
def test_a_hook_of_others_is_left_alone(repository: Path, tmp_path: Path, kind: str) -> None:
    foreign = "#!/bin/sh\necho mine\n"
    hook(repository).parent.mkdir(exist_ok=True)
    if kind == "file":
        hook(repository).write_text(foreign)
    else:
        (tmp_path / "theirs").write_text(foreign)
        hook(repository).symlink_to(tmp_path / "theirs")
    with pytest.raises(TrainingError, match=r"left alone.*add this line to it: \(trap"):
        commit_hook.install(repository, 30.0)
    with pytest.raises(TrainingError, match="no hook of Diffill's"):
        commit_hook.remove(repository)
    assert hook(repository).read_text() == foreign


@needs_git
def test_hooks_that_others_may_share_are_left_alone(repository: Path, tmp_path: Path) -> None:
    git(repository, "config", "core.hooksPath", str(tmp_path / "shared"))
    with pytest.raises(TrainingError, match=r"core\.hooksPath.*add this line"):
        commit_hook.install(repository, 30.0)
    assert not (tmp_path / "shared").exists() and not hook(repository).exists()
    with pytest.raises(TrainingError, match="no git repository"):
        commit_hook.install(tmp_path, 30.0)


@needs_git
def test_hooks_behind_a_link_out_of_the_repository_are_left_alone(
    repository: Path, tmp_path: Path
) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shutil.rmtree(hook(repository).parent, ignore_errors=True)
    hook(repository).parent.symlink_to(shared)
    with pytest.raises(TrainingError, match=r"outside of this repository's \.git.*add this line"):
        commit_hook.install(repository, 30.0)
    assert not list(shared.iterdir())
    within = repository / ".git" / "our hooks"
    within.mkdir()
    hook(repository).parent.unlink()
    hook(repository).parent.symlink_to(within)
    assert commit_hook.install(repository, 30.0) == hook(repository)
    assert [path.name for path in within.iterdir()] == ["post-commit"]
