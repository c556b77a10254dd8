"""Which files are left alone: secrets always, ignore files as git reads them."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pathspec import GitIgnoreSpec

from diffusion.text.ignored import SECRETS, Ignored, IgnoreRules


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


@pytest.mark.parametrize(
    "name",
    [
        ".env", ".env.local", "a/.ENV", "prod.env", "server.pem", "a/b/tls.KEY", "id_rsa",
        "id_ed25519.pub", ".aws/credentials", ".ssh/config", "x/.ssh/deep/er/file.py", ".netrc",
        "secrets.yaml", ".npmrc", "infra/prod.tfvars", ".git/config", "client_secret_1.json",
    ],
)  # fmt: skip
def test_secrets_are_left_out_wherever_they_lie(tmp_path: Path, name: str) -> None:
    found = IgnoreRules([tmp_path]).check(tmp_path / name)
    assert found is not None and found.why == "secret"


@pytest.mark.parametrize(
    "name", ["id_map.py", "secrets.py", "keys.py", "env.py", "environment.ts", "a/key.rs", "pem.go"]
)
def test_code_about_secrets_is_code(tmp_path: Path, name: str) -> None:
    assert IgnoreRules([tmp_path]).check(tmp_path / name) is None


def test_nothing_lets_a_secret_in(tmp_path: Path) -> None:
    write(tmp_path, {".gitignore": "!.env\n", ".diffillignore": "!.env\n!*.pem\n"})
    rules = IgnoreRules([tmp_path], patterns=["!.env"], respect_gitignore=False)
    assert rules.check(tmp_path / ".env") == Ignored("secret", "*.env")
    assert rules.check(tmp_path / "a.pem") == Ignored("secret", "*.pem")


def test_a_link_is_judged_by_what_it_leads_to(tmp_path: Path) -> None:
    write(tmp_path, {".ssh/id": "", "plain.py": ""})
    (tmp_path / "notes.py").symlink_to(tmp_path / ".ssh" / "id")
    rules = IgnoreRules([tmp_path])
    assert rules.check(tmp_path / "notes.py") == Ignored("secret", ".ssh/")
    assert rules.check(tmp_path / "plain.py") is None


def test_each_source_is_named_and_gitignore_can_be_switched_off(tmp_path: Path) -> None:
    write(tmp_path, {".gitignore": "build/\n", ".diffillignore": "vendor/*\n"})
    rules = IgnoreRules([tmp_path], patterns=["*.gen.py"])
    assert rules.check(tmp_path / "build/a/b.py") == Ignored(".gitignore", "build/")
    assert rules.check(tmp_path / "vendor/a.py") == Ignored(".diffillignore", "vendor/*")
    assert rules.check(tmp_path / "src/x.gen.py") == Ignored("setting", "*.gen.py")
    lenient = IgnoreRules([tmp_path], respect_gitignore=False)
    assert lenient.check(tmp_path / "build/a/b.py") is None
    assert lenient.check(tmp_path / "vendor/a.py") is not None


def test_ignore_files_above_the_top_do_not_count_below_it_they_do(tmp_path: Path) -> None:
    write(tmp_path, {".gitignore": "*\n", "one/.gitignore": "a.py\n", "one/two/.gitignore": "b.py"})
    rules = IgnoreRules([tmp_path / "one"])
    assert rules.check(tmp_path / "one/c.py") is None
    assert rules.check(tmp_path / "one/two/a.py") is not None
    assert rules.check(tmp_path / "one/two/b.py") is not None
    assert rules.check(tmp_path / "one/b.py") is None


@pytest.mark.parametrize(
    ("roots", "repository"), [(("", "in"), None), (("",), "in"), (("in",), "."), ((), ".")]
)
def test_of_roots_and_repositories_in_one_another_the_highest_counts(
    tmp_path: Path, roots: tuple[str, ...], repository: str | None
) -> None:
    write(tmp_path, {".gitignore": "private.py\n/in/b.py\n", "in/a.py": ""})
    if repository is not None:
        write(tmp_path, {f"{repository}/.git/HEAD": ""})
    for order in (roots, roots[::-1]):
        rules = IgnoreRules([tmp_path / root for root in order])
        assert rules.check(tmp_path / "in/private.py") is not None
        assert rules.check(tmp_path / "in/b.py") is not None
        assert rules.check(tmp_path / "in/a.py") is None


def test_a_repository_counts_without_a_root(tmp_path: Path) -> None:
    write(tmp_path, {".git/HEAD": "", ".gitignore": "/out\n", ".git/info/exclude": "mine.py\n"})
    rules = IgnoreRules()
    assert rules.check(tmp_path / "out/a/b.py") is not None
    assert rules.check(tmp_path / "a/mine.py") is not None
    assert rules.check(tmp_path / "a/out/b.py") is None


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_a_worktree_and_a_submodule_have_the_excludes_that_git_reads(tmp_path: Path) -> None:
    def git(folder: Path, *words: str) -> str:
        names = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "protocol.file.allow=always"]
        return subprocess.run(
            ["git", "-C", str(folder), *names, *words], check=True, capture_output=True, text=True
        ).stdout

    top, other, tree = (tmp_path / name for name in ("top", "other", "t\u00f6p tree"))
    for folder in (top, other):
        folder.mkdir()
        git(folder, "init", "-q")
        git(folder, "commit", "-q", "--allow-empty", "-m", "one")
    git(top, "worktree", "add", "-q", "--detach", str(tree))
    git(top, "submodule", "add", "-q", str(other), "part")
    write(top, {".git/info/exclude": "mine.py\n"})
    write(top, {".git/modules/part/info/exclude": "theirs.py\n"})
    for folder, pattern in ((tree, "mine.py"), (top / "part", "theirs.py")):
        assert (folder / ".git").is_file()
        assert git(folder, "check-ignore", "--no-index", pattern) == f"{pattern}\n"
        assert IgnoreRules().check(folder / pattern) == Ignored(".gitignore", pattern)
        assert IgnoreRules().check(folder / "a.py") is None


@pytest.mark.parametrize("named", ["/dev", "pipes", "\0", "\udce9", "x" * 5000, "", "gone"])
def test_no_git_file_makes_it_wait_or_raise(tmp_path: Path, named: str) -> None:
    pipes = tmp_path / "pipes"
    (pipes / "info").mkdir(parents=True)
    os.mkfifo(pipes / "commondir")
    os.mkfifo(pipes / "info" / "exclude")
    (tmp_path / ".git").write_bytes(b"gitdir: " + os.fsencode(named) + b"\n")
    assert IgnoreRules([tmp_path]).check(tmp_path / "a.py") is None
    (tmp_path / ".git").unlink()
    for make in (os.mkfifo, lambda path: path.symlink_to("/dev/zero")):
        make(tmp_path / ".git")
        assert IgnoreRules([tmp_path]).check(tmp_path / "a.py") is None
        (tmp_path / ".git").unlink()


def test_a_folder_is_asked_for_as_what_lies_in_it(tmp_path: Path) -> None:
    write(tmp_path, {".gitignore": "made/\nsome/*\n!some/a.py\n"})
    rules = IgnoreRules([tmp_path], patterns=["mine/"])
    asked = {name: rules.check(tmp_path / name, is_folder=True) for name in ("made", "some", "a")}
    assert asked == {"made": Ignored(".gitignore", "made/"), "some": None, "a": None}
    assert rules.check(tmp_path / "made") is None, "a file of that name is no folder"
    for name, why in (("mine", "setting"), (".aws", "secret")):
        found = rules.check(tmp_path / name, is_folder=True)
        assert found is not None and found.why == why


def test_a_changed_file_counts_after_forget(tmp_path: Path) -> None:
    rules = IgnoreRules([tmp_path])
    assert rules.check(tmp_path / "a.py") is None
    write(tmp_path, {".gitignore": "a.py\n"})
    assert rules.check(tmp_path / "a.py") is None
    rules.forget()
    assert rules.check(tmp_path / "a.py") is not None


def test_broken_ignore_files_are_read_as_far_as_they_can_be(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_bytes(b"\xff\xfe\x00[\n!\n///\n**\\\na.py\n")
    (tmp_path / ".diffillignore").mkdir()
    assert IgnoreRules([tmp_path]).check(tmp_path / "a.py") is not None
    assert IgnoreRules([tmp_path], patterns=["[", "b.py"]).check(tmp_path / "b.py") is not None


@given(st.text(max_size=12), st.lists(st.text(max_size=6), max_size=4))
def test_no_path_and_no_pattern_makes_it_raise(name: str, patterns: list[str]) -> None:
    path = Path("/work") / name.replace("\0", "")
    IgnoreRules([Path("/work")], patterns=patterns).check(path)


@pytest.mark.parametrize("name", [".gitignore", ".diffillignore", ".git/info/exclude"])
def test_a_pipe_and_a_device_in_place_of_an_ignore_file_are_empty(
    tmp_path: Path, name: str
) -> None:
    (tmp_path / ".git" / "info").mkdir(parents=True)
    os.mkfifo(tmp_path / name)
    assert IgnoreRules([tmp_path]).check(tmp_path / "a.py") is None
    (tmp_path / name).unlink()
    (tmp_path / name).symlink_to("/dev/zero")
    assert IgnoreRules([tmp_path]).check(tmp_path / "a.py") is None


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("*a" * 12 + "b", "a" * 200 + ".py"),
        ("/x/" + "**/a/" * 12 + "b", "x/" + "a/" * 100 + "c.py"),
        ("?*" * 20 + "!", "y" * 200),
    ],
)
def test_wildcards_that_would_take_for_ever_name_more_instead(
    tmp_path: Path, pattern: str, path: str
) -> None:
    rules = IgnoreRules([tmp_path], patterns=[pattern, "z" * 5000, "*.log"])
    begun = time.process_time()
    rules.check(tmp_path / path)
    assert time.process_time() - begun < 1.0
    assert rules.check(tmp_path / "z.log") is not None


def test_an_unchanged_file_is_not_compiled_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, {".gitignore": "*.log\n", "a.log": "", "a.py": ""})
    assert IgnoreRules([tmp_path]).check(tmp_path / "a.log") is not None
    compiled: list[object] = []
    was = GitIgnoreSpec.from_lines

    def counted(lines: list[str]) -> GitIgnoreSpec:
        compiled.append(lines)
        return was(lines)

    monkeypatch.setattr(GitIgnoreSpec, "from_lines", counted)
    assert IgnoreRules([tmp_path]).check(tmp_path / "a.log") is not None
    assert not compiled
    write(tmp_path, {".gitignore": "*.py\n"})
    rules = IgnoreRules([tmp_path])
    assert rules.check(tmp_path / "a.log") is None and rules.check(tmp_path / "a.py") is not None
    assert compiled == [["*.py"]]


def test_a_tamed_pattern_still_leaves_out_what_it_named(tmp_path: Path) -> None:
    rules = IgnoreRules([tmp_path], patterns=["*a*b*c*d*e*.py", "!*p*q*r*s*t*.py"])
    assert rules.check(tmp_path / "abcde.py") is not None
    assert rules.check(tmp_path / "abcde-pqrst.py") is not None, "nothing is let back in"
    assert rules.check(tmp_path / "abcde.js") is None


def test_a_name_that_no_disk_takes_is_no_reason_to_raise(tmp_path: Path) -> None:
    path = tmp_path.joinpath("d" * 300, "a.py")
    assert IgnoreRules([tmp_path]).check(path) is None
    assert IgnoreRules().check(path) is None


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_it_agrees_with_git(tmp_path: Path) -> None:
    names = [
        "a.py", "b.log", "keep.log", "build/a.py", "build/keep.log", "src/build/c.py", "src/a.py",
        "src/x/deep.py", "src/x/y/deep.py", "doc/a.txt", "doc/frotz/a.txt", "sp ace.py", "#hash.py",
    ]  # fmt: skip
    write(tmp_path, dict.fromkeys(names, ""))
    write(
        tmp_path,
        {
            ".gitignore": "*.log\n!keep.log\n/build\n# note\n\\#hash.py\ndoc/*.txt\nsp\\ ace.py",
            "src/.gitignore": "x/**/deep.py\n!a.py\n",
            "build/.gitignore": "!keep.log\n",
        },
    )
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True, capture_output=True)
    said = subprocess.run(
        ["git", "-C", str(tmp_path), "check-ignore", "--no-index", "--stdin"],
        input="\n".join(names), capture_output=True, text=True, check=False,
    )  # fmt: skip
    ignored = {line.strip('"') for line in said.stdout.splitlines()}
    rules = IgnoreRules([tmp_path])
    assert {name for name in names if rules.check(tmp_path / name)} == ignored
    assert len(SECRETS) > 20 and 5 < len(ignored) < len(names)


@pytest.mark.parametrize(
    ("patterns", "ignored", "kept"),
    [
        (["private/", "!src/"], "src/private/keys.py", "src/a.py"),
        (["node_modules/", "/*", "!/src/"], "src/node_modules/x.js", "src/x.js"),
        (["build/", "!tools/"], "tools/build/x.py", "tools/x.py"),
        (["!lib/**", "lib/private/"], "lib/private/a.py", "lib/a.py"),
        (["!*", "foo"], "foo/a.py", "a/b.py"),
        (["lib/**", "!lib/a.py"], "lib/b.py", "lib/a.py"),
        (["*", "!*/", "!*.py"], "src/x.c", "src/deep/x.py"),
        (["data[[:digit:]].py", "[![:lower:]]*.js"], "data1.py", "datax.py"),
        (["[![:lower:]]*.js", "\\[[:digit:]]"], "A.js", "a.js"),
        (["[[:punct:]].py", "[:digit:].c"], "].py", "1.c"),
    ],
)
def test_what_is_let_back_in_is_only_what_is_named(
    tmp_path: Path, patterns: list[str], ignored: str, kept: str
) -> None:
    (tmp_path / ".gitignore").write_text("\n".join(patterns), "utf-8-sig")
    rules = IgnoreRules([tmp_path])
    found = rules.check(tmp_path / ignored)
    assert found is not None and found.pattern in patterns
    assert rules.check(tmp_path / kept) is None


def test_a_line_end_in_a_folder_name_hides_no_secret(tmp_path: Path) -> None:
    found = IgnoreRules([tmp_path]).check(tmp_path / "a\nb" / ".env")
    assert found is not None and found.why == "secret"


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
@pytest.mark.parametrize("seed", range(3))
def test_random_patterns_agree_with_git(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True, capture_output=True)
    folders = ["", "a/", "b/", "a/b/", "src/", "src/a/", "src/a/b/"]
    names = [folder + name for folder in folders for name in ("x.py", "y.c", "c", "ab", "B1")]
    write(tmp_path, dict.fromkeys(names, ""))
    pieces = ["a", "b", "src", "*", "**", "x.py", "*.py", "?", "[ab]", "[!a]", "[[:upper:]]?", "a*"]

    def pattern() -> str:
        line = "/".join(rng.choices(pieces, k=rng.choice((1, 1, 1, 2, 3))))
        start = rng.choice(("", "", "!", "!", "/", "!/"))
        return start + line + rng.choice(("", "", "/" * (not line.endswith("**"))))

    for _ in range(12):
        files = {folder + ".gitignore": [pattern() for _ in range(4)] for folder in ("", "src/")}
        write(tmp_path, {name: "\n".join(lines) for name, lines in files.items()})
        said = subprocess.run(
            ["git", "-C", str(tmp_path), "check-ignore", "--no-index", "--stdin"],
            input="\n".join(names), capture_output=True, text=True, check=False,
        )  # fmt: skip
        rules = IgnoreRules([tmp_path])
        ours = {name for name in names if rules.check(tmp_path / name)}
        assert ours == set(said.stdout.splitlines()), files
