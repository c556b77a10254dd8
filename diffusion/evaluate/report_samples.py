"""Sample fills for a report: which to show, and how they look.

Shown are the best (exact and long), the sure but wrong, the nearly right, and what should not
happen: empty ones, loops, syntax errors. Every token is shaded by the probability with which it
was committed. The choice is fixed by the rows, so two reports of one run show the same.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from typing import Any

from diffusion.evaluate.cases import Case

Row = dict[str, Any]
_CONTEXT_LINES = 4
_CONTEXT_CHARACTERS = 400


def sample_section(cases: Sequence[Case], rows: Sequence[Row], *, each: int = 6) -> str:
    """HTML of the samples of one run; `rows[i]` belongs to `cases[i]`."""
    groups: list[tuple[str, Callable[[Row], bool], Callable[[Row], float]]] = [
        ("Exactly right, the longest", lambda r: r["exact_match"], lambda r: -r["tokens"]),
        (
            "Wrong, though it was sure",
            lambda r: not r["exact_match"] and r["confidence"] is not None,
            lambda r: -r["confidence"],
        ),
        (
            "Nearly right",
            lambda r: not r["exact_match"] and r["edit_similarity"] > 0.6,
            lambda r: -r["edit_similarity"],
        ),
        ("Loops", lambda r: r["repetition"], lambda r: -r["tokens"]),
        (
            "Adds a syntax error",
            lambda r: r["parses"] is False and not r["repetition"],
            lambda r: -(r["confidence"] or 0.0),
        ),
        ("Empty", lambda r: r["empty"], lambda r: 0.0),
    ]
    parts = []
    for title, belongs, order in groups:
        found = [i for i, row in enumerate(rows) if belongs(row)]
        found.sort(key=lambda i: (order(rows[i]), i))
        if found:
            parts.append(f"<h4>{title} ({len(found)} of {len(rows)})</h4>")
            parts += [_sample(cases[i], rows[i]) for i in found[:each]]
    return "\n".join(parts)


def _sample(case: Case, row: Row) -> str:
    before = "\n".join(case.prefix[-_CONTEXT_CHARACTERS:].split("\n")[-_CONTEXT_LINES:])
    after = "\n".join(case.suffix[:_CONTEXT_CHARACTERS].split("\n")[:_CONTEXT_LINES])
    sure = "" if row["confidence"] is None else f", confidence {row['confidence']:.2f}"
    head = f"{case.task_id} ({case.language}{', ' + case.hole if case.hole else ''}{sure})"
    wanted = "" if row["exact_match"] else f'<div class="wanted">{html.escape(case.middle)}</div>'
    return (
        f'<div class="sample"><div class="head">{html.escape(head)}</div>'
        f'<pre>{html.escape(before)}<b class="fill">{_shaded(row)}</b>{html.escape(after)}</pre>'
        f"{wanted}</div>"
    )


def _shaded(row: Row) -> str:
    """The completion, token by token; plain where the tokens do not spell it."""
    tokens = row.get("token_p") or []
    spelled = "".join(text for text, _ in tokens)
    if not row["completion"]:
        return '<i class="none">nothing</i>'
    if not row["completion"].startswith(spelled):
        return html.escape(row["completion"])
    shaded = "".join(
        f'<span style="--p:{p:.2f}" title="p = {p:.2f}">{html.escape(text)}</span>'
        for text, p in tokens
    )
    return shaded + html.escape(row["completion"][len(spelled) :])
