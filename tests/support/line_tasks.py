"""A task drawn as documents: the comment with the cursor in it, and what a fill makes of it."""

from __future__ import annotations

from diffusion.text.line_tasks import LineTask, comment_task
from diffusion.text.syntax import SyntaxTree
from tests.support.drawn import read_drawn


def from_comment(
    text: str, language: str = "python", *, parsed: bool = True
) -> tuple[LineTask, bytes]:
    drawn = read_drawn(text)
    assert drawn.cursor is not None
    tree = (SyntaxTree.parse if parsed else SyntaxTree.unparsed)(drawn.data, language)
    return comment_task(tree, drawn.data, drawn.cursor), drawn.data


def with_fill(task: LineTask, data: bytes, fill: str) -> str:
    """The document after the edit; the model's own view must agree with it."""
    edited = data[: task.start] + (task.before + fill + task.after).encode() + data[task.end :]
    seen = task.text[: task.hole[0]] + fill.encode() + task.text[task.hole[1] :]
    assert edited == seen
    return edited.decode()
