"""From a cursor to suggestions: no LSP types, no torch.

Reading order: `pipeline` (the stages), `trigger`, `context`, `candidate`, `filters/`, `cache`.
"""
