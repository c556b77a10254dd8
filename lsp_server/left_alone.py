"""Which files are left alone, by the rules of now, and which of them no longer may be read.

Invariants: a file is looked at once, until somebody says that ignore files may have changed; of one
that was allowed and is left alone now whoever listens hears before anybody is told so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from diffusion.text.ignored import Ignored, IgnoreRules


@dataclass(frozen=True, slots=True)
class Rules:
    """What is asked for: folders whose ignore files count, and what the settings say."""

    roots: tuple[Path, ...] = ()
    patterns: tuple[str, ...] = ()
    respect_gitignore: bool = True

    def made(self) -> IgnoreRules:
        """The same, with nothing read yet."""
        return IgnoreRules(
            self.roots, patterns=self.patterns, respect_gitignore=self.respect_gitignore
        )


class LeftAlone:
    """The files of one client."""

    def __init__(self, on_new: Callable[[], None]) -> None:
        self._on_new = on_new
        self._rules = IgnoreRules()
        self._known: dict[Path, Ignored | None] = {}
        self._allowed: set[Path] = set()

    def take(self, rules: Rules) -> None:
        """Other rules from now on."""
        self._rules = rules.made()
        self.check_again()

    def check_again(self) -> None:
        """Ignore files may have changed."""
        self._rules.forget()
        self._known.clear()

    def why(self, path: Path) -> Ignored | None:
        """Why a file is left alone; None for one that may be read."""
        if path not in self._known:  # the cells of a notebook share their file's answer
            found = self._known[path] = self._rules.check(path)
            if found is None:
                self._allowed.add(path)
            elif path in self._allowed:
                self._allowed.discard(path)
                self._on_new()
        return self._known[path]
