"""Text side of Diffill: tokenizer, languages, syntax, holes, canvases. Bytes; no torch."""
