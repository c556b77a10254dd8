"""From a document's imports to the files of a workspace."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from diffusion.text.cross_file import CrossFile
from diffusion.text.ignored import IgnoreRules
from diffusion.text.languages import language_for_path
from diffusion.text.workspace import MOST_FILE_BYTES, MOST_IMPORTED, SIGNATURE_BYTES, Workspace

HEAD = {
    ".py": "def wanted(a):\n    return a\n",
    ".ts": "export function wanted(a: X) { return a; }\n",
    ".js": "export function wanted(a) { return a; }\n",
    ".go": "package p\n\nfunc wanted(a int) int { return a }\n",
    ".rs": "pub fn wanted(a: u8) -> u8 { a }\n",
    ".java": "class wanted { int a; }\n",
    ".h": "int wanted(int a);\n",
}

LAYOUTS = {
    "python: a module beside": ("pkg/a.py", "from pkg.b import wanted\n", ["pkg/b.py"]),
    "python: relative": ("pkg/sub/a.py", "from ..b import wanted\n", ["pkg/b.py"]),
    "python: modules of a package": (
        "pkg/a.py", "from . import b, c\n", ["pkg/b.py", "pkg/c.py"],
    ),
    "python: a package below src": ("t/a.py", "import lib\n", ["src/lib/__init__.py"]),
    "typescript: no extension": ("web/a.ts", "import {wanted} from '../b';\n", ["b.ts"]),
    "typescript: an index": ("a.ts", "import {wanted} from './b';\n", ["b/index.ts"]),
    "typescript: compiled name": ("a.ts", "import {wanted} from './b.js';\n", ["b.ts"]),
    "javascript: require": ("a.js", "const {wanted} = require('./b.js');\n", ["b.js"]),
    "go: a package of the module": (
        "cmd/a.go", 'package a\nimport "example.org/m/in"\n', ["in/x.go", "in/y.go"],
    ),
    "rust: crate": ("src/a.rs", "use crate::b::wanted;\n", ["src/b.rs"]),
    "rust: super": ("src/a/c.rs", "use super::b::wanted;\n", ["src/a/b.rs"]),
    "rust: mod": ("src/main.rs", "mod b;\n", ["src/b/mod.rs"]),
    "java: a class": (
        "src/main/java/p/A.java", "package p;\nimport q.wanted;\n",
        ["src/main/java/q/wanted.java"],
    ),
    "c: beside": ("a.c", '#include "b.h"\n', ["b.h"]),
    "c: include": ("src/a.c", '#include <m/b.h>\n', ["include/m/b.h"]),
}  # fmt: skip


def write(root: Path, name: str, text: str) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def around(root: Path, file: Path, text: str, *, ignore: tuple[str, ...] = (), **more: object):  # type: ignore[no-untyped-def]
    workspace = Workspace([root], IgnoreRules([root], patterns=ignore))
    return workspace.around(file, text.encode(), file.suffix, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_imports_lead_to_files(tmp_path: Path, layout: str) -> None:
    name, text, behind = LAYOUTS[layout]
    write(tmp_path, "go.mod", "module example.org/m\n")
    file = write(tmp_path, name, text)
    for other in behind:
        write(tmp_path, other, HEAD[Path(other).suffix])
    found = around(tmp_path, file, text)
    assert len(found.signatures) == len(found.texts) == len(behind)
    assert all(b"wanted" in head and b"return" not in head for head in found.signatures)
    assert found.texts[0].decode() == HEAD[file.suffix if file.suffix != ".c" else ".h"]


def test_nothing_outside_of_the_workspace_is_read(tmp_path: Path) -> None:
    root = tmp_path / "root"
    write(tmp_path, "b.py", HEAD[".py"])
    write(tmp_path, "b.h", HEAD[".h"])
    (root / "pkg").mkdir(parents=True)
    (root / "link.py").symlink_to(tmp_path / "b.py")
    python = "from .. import b\nfrom ...b import wanted\nimport link\n"
    assert around(root, root / "pkg" / "a.py", python) == CrossFile()
    for name in ("../b.h", str(tmp_path / "b.h")):
        assert around(root, root / "a.c", f'#include "{name}"\n') == CrossFile()
    assert Workspace([], IgnoreRules()).around(
        root / "a.py", b"import link\n", "python", recent=[tmp_path / "b.py"]
    ) == CrossFile()  # fmt: skip


def test_files_that_are_left_alone_are_not_read(tmp_path: Path) -> None:
    write(tmp_path, ".gitignore", "b.py\n")
    for name in ("b.py", "c.py", "secrets.py", ".ssh/d.py", "e.py"):
        write(tmp_path, name, HEAD[".py"])
    (tmp_path / "plain.py").symlink_to(tmp_path / ".ssh" / "d.py")
    (tmp_path / "id_rsa.py").symlink_to(tmp_path / "e.py")
    file = tmp_path / "a.py"
    text = "import b\nimport c\nimport plain\nimport id_rsa\n"
    recent = [tmp_path / "b.py", tmp_path / "plain.py", tmp_path / "id_rsa.py"]
    assert around(tmp_path, file, text, ignore=("c.py",), recent=recent) == CrossFile()
    assert len(around(tmp_path, file, "import e\n").texts) == 1, "the check can pass"


def test_odd_files_are_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    (tmp_path / "large.py").write_bytes(b"#" * (MOST_FILE_BYTES + 1))
    (tmp_path / "binary.py").write_bytes(b"x = 1\0")
    (tmp_path / "folder.py").mkdir()
    os.mkfifo(tmp_path / "pipe.py")
    text = "import large\nimport binary\nimport folder\nimport pipe\nimport a\nimport gone\n"
    assert around(tmp_path, file, text) == CrossFile()


def test_only_so_many_files_are_taken(tmp_path: Path) -> None:
    names = [f"m{n}" for n in range(MOST_IMPORTED + 3)]
    for name in names:
        write(tmp_path, f"{name}.py", f"def {name}({'a, ' * 100}):\n    pass\n" * 9)
    text = "".join(f"import {name}\n" for name in names)
    found = around(tmp_path, tmp_path / "a.py", text)
    assert len(found.texts) == MOST_IMPORTED
    assert all(len(head) <= SIGNATURE_BYTES for head in found.signatures)


def test_what_an_editor_has_open_counts_instead_of_the_disk(tmp_path: Path) -> None:
    path = write(tmp_path, "b.py", HEAD[".py"])
    shown = {path: b"def newer(b):\n    pass\n"}
    found = around(tmp_path, tmp_path / "a.py", "import b\n", open_texts=shown, recent=[path])
    assert found == CrossFile((b"def newer(b)\n",), (b"def newer(b):\n    pass\n",))


def test_recent_files_of_the_language_are_read_once(tmp_path: Path) -> None:
    paths = [write(tmp_path, name, HEAD[Path(name).suffix]) for name in ("b.py", "c.py", "d.ts")]
    file = tmp_path / "a.py"
    found = around(tmp_path, file, "import b\n", recent=[*paths, file, tmp_path / "gone.py"])
    assert len(found.signatures) == 1
    assert len(found.texts) == 2


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    path = write(tmp_path, "b.py", HEAD[".py"])
    workspace = Workspace([tmp_path], IgnoreRules([tmp_path]))
    asked = (tmp_path / "a.py", b"import b\n", "python")
    assert workspace.around(*asked).texts == (HEAD[".py"].encode(),)
    path.write_text("def other(): pass  # of another size\n")
    assert b"other" in workspace.around(*asked).texts[0]
    path.unlink()
    assert workspace.around(*asked) == CrossFile()


def test_every_layout_is_in_a_language_with_imports() -> None:
    named = {layout.partition(":")[0] for layout in LAYOUTS}
    assert named == {language_for_path(name) for name, _, _ in LAYOUTS.values()}
