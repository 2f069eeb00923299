"""Reads customer text: sentiment, complaint, topics, blamed channel. Everything is loaded on first use."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from data_access.text.cues import CueFileError
    from data_access.text.evaluation import evaluate
    from data_access.text.lexlinear import SCORER_ID, SCORER_VERSION
    from data_access.text.reading import TextSettings, explain, read_batch, require_usable
    from data_access.text.scorers import Scorer, ScorerUnavailableError, scorer_of

__all__ = [
    "SCORER_ID",
    "SCORER_VERSION",
    "CueFileError",
    "Scorer",
    "ScorerUnavailableError",
    "TextSettings",
    "evaluate",
    "explain",
    "read_batch",
    "require_usable",
    "scorer_of",
]

_HOMES = {
    "CueFileError": "cues",
    "SCORER_ID": "lexlinear",
    "SCORER_VERSION": "lexlinear",
    "Scorer": "scorers",
    "ScorerUnavailableError": "scorers",
    "TextSettings": "reading",
    "evaluate": "evaluation",
    "explain": "reading",
    "read_batch": "reading",
    "require_usable": "reading",
    "scorer_of": "scorers",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
