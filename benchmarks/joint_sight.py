"""What is it worth to a hole to see what the other holes say, and does it need training?

The cases of `joint_fill.py`: one name, cut out at two or three places. For each hole, the mean
log-probability (nats a token, from the left) of the true name, where the other holes

- `blind`: are not seen, as in training;
- `seen`: hold the true name and are seen by attention between canvases, which training never had;
- `encoded`: hold the true name as part of the context, encoded again: what `seen` saves.

With the document's votes and without. The last line on stdout is one JSON document.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from joint_fill import Case, draw

from diffusion.cancel import CancelToken
from diffusion.evaluate.benchmark import as_script, check_places, finish
from diffusion.evaluate.machine import describe
from diffusion.evaluate.model_filler import served_dir, weights_hash
from diffusion.infill import Infiller
from diffusion.open_parts import open_parts
from diffusion.process.copying import CopyWeights
from diffusion.process.joint import JointDenoise
from diffusion.text.tokenizer import MASK, PAD


def log_p(
    denoise: JointDenoise,
    canvases: Sequence[Sequence[int]],
    hole: int,
    true: Sequence[int],
    *,
    blind: bool,
) -> float:
    """Mean log-probability of `true`, the last tokens of canvas `hole`, each given its left."""
    rows, holes, drafts, wanted = [], [], [], []
    first = len(canvases[hole]) - len(true)
    for i in range(len(true)):
        for number, canvas in enumerate(canvases):
            mine = number == hole
            rows.append([*canvas[: first + i], *[MASK] * (len(true) - i)] if mine else canvas)
            holes.append(number)
            drafts.append(len(drafts) if blind else i)
            wanted.append(first + i if mine else None)
    longest = max(map(len, rows))
    ids_BN = torch.tensor([[*row, *[PAD] * (longest - len(row))] for row in rows])
    wanted_BN = torch.zeros(ids_BN.shape, dtype=torch.bool)
    for b, at in enumerate(wanted):
        if at is not None:
            wanted_BN[b, at] = True
    lengths_B = torch.tensor([len(row) for row in rows])
    logits_MV = denoise(ids_BN, lengths_B, wanted_BN, torch.tensor(holes), torch.tensor(drafts))
    said_MV = torch.log_softmax(logits_MV, dim=-1)
    return statistics.fmean(float(said_MV[m, token]) for m, token in enumerate(true))


def views(infiller: Infiller, case: Case, votes: bool) -> dict[str, list[float]]:
    """One figure for every hole of a case, for every view.

    With votes there is no blind one: canvases that see nothing would still vote for each other.
    """
    opened = open_parts(infiller, case.data, case.holes, case.language, CancelToken())
    name = case.name.encode()
    true = [p.slots_needed(infiller.tokenizer, name) for p in opened.placements]
    canvases = [[*p.pins, *t] for p, t in zip(opened.placements, true, strict=True)]
    found: dict[str, list[float]] = {"blind": [], "seen": [], "encoded": []}
    for hole, tokens in enumerate(true):
        for view in ("seen",) if votes else ("blind", "seen"):
            blind = view == "blind"
            found[view].append(log_p(opened.denoise, canvases, hole, tokens, blind=blind))
        alone = open_parts(infiller, case.data, [case.holes[hole]], case.language, CancelToken())
        [place] = alone.placements
        one = place.slots_needed(infiller.tokenizer, name)
        found["encoded"].append(log_p(alone.denoise, [[*place.pins, *one]], 0, one, blind=True))
    return found


@as_script
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, metavar="DIR")
    parser.add_argument("--cases", type=int, default=80, metavar="N")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, metavar="FILE", help="save the JSON document here")
    arguments = parser.parse_args()
    check_places(("--out", arguments.out))
    folder = served_dir(arguments.model)
    infiller = Infiller.load(folder, 1, device="cpu")
    weights = infiller.copy_weights
    rows: list[dict[str, Any]] = []
    cases = draw(arguments.cases, arguments.seed)
    for votes in (False, True):
        infiller.copy_weights = weights if votes else CopyWeights()
        said = [(case.seen, views(infiller, case, votes)) for case in cases]
        for seen in (False, True):
            for view in ("blind", "seen", "encoded"):
                every = [p for kind, found in said if kind is seen for p in found[view]]
                if every:
                    names = "seen" if seen else "unseen"
                    mean = round(statistics.fmean(every), 3)
                    rows.append({"names": names, "votes": votes, "others": view,
                                 "holes": len(every), "log_p": mean})  # fmt: skip
    print("| names | votes | others | holes | nats a token |\n|---|---|---|---|---|")
    for row in rows:
        print(f"| {' | '.join(str(value) for value in row.values())} |")
    report = {
        "benchmark": "joint_sight",
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "machine": describe(),
        "model_hash": weights_hash(folder),
        "cases": len(cases),
        "rows": rows,
    }
    finish(report, arguments.out)


if __name__ == "__main__":
    main()
