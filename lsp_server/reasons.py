"""Why nothing was shown: the closed set of reasons, one sentence for each.

Every request that ends without a suggestion carries exactly one of these; the trace keeps it
and `diffill/explainLast` tells it. Imports nothing, so that anyone may use it.
"""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """The name on the wire is the value; the sentence is in `SENTENCES`."""

    DISABLED = "disabled"
    COMPLETION_DISABLED = "completionDisabled"
    MANUAL_ONLY = "manualOnly"
    TOGGLED_OFF = "toggledOff"
    SNOOZED = "snoozed"
    SECRET_FILE = "secretFile"
    IGNORED_FILE = "ignoredFile"
    NOT_OPEN = "notOpen"
    OUT_OF_SYNC = "outOfSync"
    LANGUAGE_UNKNOWN = "languageUnknown"
    LANGUAGE_OFF = "languageOff"
    FILE_TOO_LARGE = "fileTooLarge"
    BINARY = "binary"
    LINE_TOO_LONG = "lineTooLong"
    CURSOR_OUTSIDE = "cursorOutside"
    INSIDE_WORD = "insideWord"
    SCOPE_OFF = "scopeOff"
    NOT_EXPRESSIBLE = "notExpressible"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"
    STALE = "stale"
    CLOSED = "closed"
    RULES_CHANGED = "rulesChanged"
    SHUTTING_DOWN = "shuttingDown"
    MODEL_UNAVAILABLE = "modelUnavailable"
    ENGINE_FAILED = "engineFailed"
    NO_CANDIDATE = "noCandidate"
    ALL_FILTERED = "allFiltered"
    INTERNAL = "internal"


SENTENCES: dict[Reason, str] = {
    Reason.DISABLED: "diffill.enable is off",
    Reason.COMPLETION_DISABLED: "diffill.completion.enable leaves this client to inlineCompletion",
    Reason.MANUAL_ONLY: "diffill.inline.trigger is manual and this request was automatic",
    Reason.TOGGLED_OFF: "suggestions were turned off with the command diffill.toggle",
    Reason.SNOOZED: "suggestions are snoozed and this request was automatic",
    Reason.SECRET_FILE: "files of this name hold secrets, so Diffill does not look into them",
    Reason.IGNORED_FILE: "an ignore file or diffill.privacy.ignore leaves this document out",
    Reason.NOT_OPEN: "the document is not open",
    Reason.OUT_OF_SYNC: "a change of the document could not be read, so its text is not known",
    Reason.LANGUAGE_UNKNOWN: "the language of the document is not one that Diffill reads",
    Reason.LANGUAGE_OFF: "diffill.languages turns this language off",
    Reason.FILE_TOO_LARGE: "the document is larger than diffill.performance.maxFileKB",
    Reason.BINARY: "the document holds NUL bytes, so it is no text",
    Reason.LINE_TOO_LONG: "the line is longer than diffill.performance.maxLineLength",
    Reason.CURSOR_OUTSIDE: "the cursor lies outside the document",
    Reason.INSIDE_WORD: "the cursor is inside a word and the request was automatic",
    Reason.SCOPE_OFF: "diffill.inline.disabledIn names this scope and the request was automatic",
    Reason.NOT_EXPRESSIBLE: "the text reaches over lines, which an inline item cannot replace",
    Reason.CANCELLED: "the client cancelled the request",
    Reason.SUPERSEDED: "a newer request for the same document took its place",
    Reason.STALE: "the document changed while the request was under way",
    Reason.CLOSED: "the document was closed while the request was under way",
    Reason.RULES_CHANGED: "which files may be read changed while the request was under way",
    Reason.SHUTTING_DOWN: "the server is shutting down",
    Reason.MODEL_UNAVAILABLE: "the model is not available",
    Reason.ENGINE_FAILED: "the engine failed; the log has the details",
    Reason.NO_CANDIDATE: "the model offered nothing",
    Reason.ALL_FILTERED: "every candidate was filtered out",
    Reason.INTERNAL: "the server made a mistake; the log has the details",
}
