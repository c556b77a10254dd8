"""Tests about the repository itself: imports, sizes, docs in step with the code, hygiene."""
