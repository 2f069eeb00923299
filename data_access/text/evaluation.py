"""Measures a scorer against labels that people gave: accuracy, macro-F1, macro-recall and each class, with
intervals.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from data_access.text.cues import load_cues
from data_access.text.reading import TextSettings, read_batch

TASKS = ("sentiment", "complaint", "topic")
NOT_SCORED = "not scored"
_SENTIMENT_WORDS = {
    "negative": "negative",
    "neg": "negative",
    "neutral": "neutral",
    "neu": "neutral",
    "positive": "positive",
    "pos": "positive",
}
_FROM_ZERO = {"0": "negative", "1": "neutral", "2": "positive"}
_FROM_MINUS_ONE = {"-1": "negative", "0": "neutral", "1": "positive"}
_COMPLAINT = {"0": "0", "1": "1", "false": "0", "true": "1", "no": "0", "yes": "1"}


def _interval(part: int, whole: int) -> tuple[float, float]:
    """The 95 % Wilson interval of a share; (0, 1) where nothing was counted."""
    from data_access.estimates import wilson_interval  # noqa: PLC0415  (numpy only where it is needed)

    if whole == 0:
        return 0.0, 1.0
    low, high = wilson_interval(part, whole)
    return float(low), float(high)


def read_labels(labels: Sequence[str], task: str, topics: Iterable[str] = ()) -> list[str]:
    """Labels in one spelling, raising ValueError with the row (counted from one) of the first unknown one."""
    plain = [_plain(label) for label in labels]
    if task == "topic":
        known = {name: name for name in topics} | {"none": "none", "": "none"}
    elif task == "complaint":
        known = _COMPLAINT
    elif task == "sentiment":
        known = _SENTIMENT_WORDS | (_FROM_MINUS_ONE if "-1" in plain and "2" not in plain else _FROM_ZERO)
    else:
        raise ValueError(f"There is no task {task!r}; there are: {', '.join(TASKS)}.")
    for row, label in enumerate(plain, start=1):
        if label not in known:
            raise ValueError(f"row {row}: the label {labels[row - 1]!r} is not one of {', '.join(sorted(known))}")
    return [known[label] for label in plain]


def _plain(label: object) -> str:
    text = str(label).strip().lower()
    return text[:-2] if text.endswith(".0") else text


def evaluate(
    rows: Iterable[tuple[str, str]],
    *,
    task: str,
    preset: str | None,
    scorer: str,
    settings: TextSettings,
) -> dict[str, Any]:
    """Compare what is read with the labels; a text that is not scored counts as a miss, and its number is
    given.

    A complaint is read with `preset` (default: the one for private channels); a topic by the primary one,
    `none` allowed.
    """
    pairs = list(rows)
    topics = load_cues(settings.cues_file).topic_order if task == "topic" else {}
    truth = read_labels([label for _, label in pairs], task, topics)
    chosen = dataclasses.replace(settings, scorer=scorer or settings.scorer)
    if preset:
        chosen = dataclasses.replace(chosen, preset_private=preset)
    count = len(pairs)
    read = read_batch([text for text, _ in pairs], inbound=[True] * count, public=[False] * count, settings=chosen)
    not_scored = sum(reason is not None for reason in read["not_scored_reason"])
    if task == "sentiment":
        guessed = [label or NOT_SCORED for label in read["sentiment_label"]]
        classes = ["negative", "neutral", "positive"]
    elif task == "complaint":
        guessed = ["1" if flag else "0" for flag in read["is_complaint"]]
        classes = ["0", "1"]
    else:
        guessed = [found[0] if found else "none" for found in read["topics"]]
        classes = sorted(set(truth))
    return measures(truth, guessed, classes) | {
        "task": task,
        "not_scored": not_scored,
        "scorer": chosen.scorer,
    }


def measures(truth: Sequence[str], guessed: Sequence[str], classes: Sequence[str]) -> dict[str, Any]:
    """Accuracy with its interval, and for each class precision, recall, F1 and support; macro means over
    classes that occur.
    """
    hits = Counter(label for label, guess in zip(truth, guessed, strict=True) if label == guess)
    support = Counter(truth)
    claimed = Counter(guessed)
    per_class: dict[str, dict[str, Any]] = {}
    for name in classes:
        precision = hits[name] / claimed[name] if claimed[name] else 0.0
        recall = hits[name] / support[name] if support[name] else 0.0
        f1 = 2 * hits[name] / (claimed[name] + support[name]) if claimed[name] + support[name] else 0.0
        per_class[name] = {"precision": precision, "recall": recall, "f1": f1, "support": support[name]}
        per_class[name]["recall_interval"] = list(_interval(hits[name], support[name]))
        per_class[name]["precision_interval"] = list(_interval(hits[name], claimed[name]))
    present = [row for name, row in per_class.items() if support[name]]
    right = sum(hits.values())
    count = len(truth)
    return {
        "n": count,
        "accuracy": right / count if count else 0.0,
        "accuracy_interval": list(_interval(right, count)),
        "macro_f1": sum(row["f1"] for row in present) / len(present) if present else 0.0,
        "macro_recall": sum(row["recall"] for row in present) / len(present) if present else 0.0,
        "per_class": per_class,
    }
