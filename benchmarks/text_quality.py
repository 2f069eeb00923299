"""How well text is read, beside plain VADER: `python benchmarks/text_quality.py [--write]` prints (and
keeps) the tables.

Reads ../shared/data only; writes figures, never a text. --write renews benchmarks/text.md.
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from data_access.text.evaluation import evaluate, measures, read_labels  # noqa: E402
from data_access.text.reading import TextSettings, read_batch  # noqa: E402

DATA = ROOT.parent / "shared" / "data"
REPORT = Path(__file__).with_name("text.md")
SETTINGS = TextSettings()
Rows = list[tuple[str, str]]


def airline_rows() -> list[tuple[str, str, str]]:
    with (DATA / "labelled" / "airline_sentiment_3airlines.csv").open(encoding="utf-8", newline="") as file:
        return [(row["text"], row["airline_sentiment"], row["airline"]) for row in csv.DictReader(file)]


def tweeteval_rows() -> Rows:
    folder = DATA / "labelled" / "tweeteval_val"
    texts = (folder / "val_text.txt").read_text(encoding="utf-8").split("\n")
    labels = (folder / "val_labels.txt").read_text(encoding="utf-8").split()
    return list(zip(texts, labels, strict=False))[: len(labels)]


def complaint_rows(column: str) -> Rows:
    rows: Rows = []
    for name in ("airlines", "telecom"):
        annotated = "" if column == "finalLabel" else "_two_annotators"
        with (DATA / "labelled" / f"complaints_{name}{annotated}.csv").open(encoding="cp1252", newline="") as file:
            rows += [
                (row["text"], row["Label1"] if column == "agreed" else row[column])
                for row in csv.DictReader(file)
                if column != "agreed" or row["Label1"] == row["Label2"]
            ]
    return rows


def narratives() -> list[str]:
    csv.field_size_limit(10_000_000)
    with (DATA / "cfpb" / "complaints_sample.csv").open(encoding="utf-8", newline="") as file:
        return [
            row["Consumer complaint narrative"]
            for row in csv.DictReader(file)
            if row["Consumer complaint narrative"].strip()
        ]


def vader_scorer() -> Callable[[str], float]:
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer  # noqa: PLC0415

    analyzer = SentimentIntensityAnalyzer()
    return lambda text: float(analyzer.polarity_scores(text)["compound"])


def vader_label(compound: float) -> str:
    return "positive" if compound >= 0.05 else "negative" if compound <= -0.05 else "neutral"


def vader_measures(rows: Sequence[tuple[str, str]], task: str) -> dict[str, object]:
    score = vader_scorer()
    truth = read_labels([label for _, label in rows], task)
    guessed = [vader_label(score(text)) for text, _ in rows]
    if task == "complaint":  # the usual stand-in: what VADER calls negative is a complaint
        return measures(truth, ["1" if label == "negative" else "0" for label in guessed], ["0", "1"])
    return measures(truth, guessed, ["negative", "neutral", "positive"])


def quality_lines() -> list[str]:
    lines = [
        "| set | n | reader | accuracy (95 %) | macro-F1 | macro-recall | recall by class | not scored |",
        "|---|---|---|---|---|---|---|---|",
    ]

    def add(name: str, reader: str, found: dict[str, object]) -> None:
        low, high = found["accuracy_interval"]  # type: ignore[misc]
        classes = ", ".join(f"{label} {row['recall']:.2f}" for label, row in found["per_class"].items())  # type: ignore[attr-defined]
        lines.append(
            f"| {name} | {found['n']:,} | {reader} | {found['accuracy']:.3f} ({low:.3f}–{high:.3f}) | "
            f"{found['macro_f1']:.3f} "
            f"| {found['macro_recall']:.3f} | {classes} | {found.get('not_scored', '')} |"
        )

    airline = [(text, label) for text, label, _ in airline_rows()]
    for name, rows in (
        ("three airlines, sentiment", airline),
        ("TweetEval validation, sentiment", tweeteval_rows()),
    ):
        add(
            name,
            "lexlinear-en",
            evaluate(rows, task="sentiment", preset=None, scorer="lexlinear-en", settings=SETTINGS),
        )
        add(name, "VADER", vader_measures(rows, "sentiment"))
    for column, words in (
        ("finalLabel", "final label"),
        ("Label1", "first person"),
        ("Label2", "second person"),
        ("agreed", "where both agree"),
    ):
        rows = complaint_rows(column)
        for preset in ("strict", "sensitive"):
            found = evaluate(rows, task="complaint", preset=preset, scorer="lexlinear-en", settings=SETTINGS)
            add(f"airlines and telecom, complaint, {words}", f"cues, {preset}", found)
        add(f"airlines and telecom, complaint, {words}", "VADER", vader_measures(rows, "complaint"))
    return lines


def share_lines() -> list[str]:
    rows = airline_rows()
    count = len(rows)
    read = read_batch([text for text, _, _ in rows], inbound=[True] * count, public=[True] * count, settings=SETTINGS)
    score = vader_scorer()
    vader = [vader_label(score(text)) for text, _, _ in rows]
    lines = ["| airline | n | negative in truth | lexlinear-en | VADER |", "|---|---|---|---|---|"]
    for airline in sorted({name for _, _, name in rows}):
        places = [place for place, row in enumerate(rows) if row[2] == airline]
        truth, ours, theirs = (
            sum(labels[place] == "negative" for place in places) / len(places)
            for labels in ([label for _, label, _ in rows], read["sentiment_label"], vader)
        )
        lines.append(f"| {airline} | {len(places):,} | {truth:.1%} | {ours:.1%} | {theirs:.1%} |")
    texts = narratives()
    count = len(texts)
    read = read_batch(texts, inbound=[True] * count, public=[False] * count, settings=SETTINGS)
    positive = read["sentiment_label"].count("positive") / count
    flagged = sum(map(bool, read["is_complaint"])) / count
    vader_positive = sum(vader_label(score(text[:5000])) == "positive" for text in texts) / count
    lines += [
        "",
        f"{count:,} bank complaint narratives: {positive:.1%} called positive (VADER {vader_positive:.1%}), "
        f"{flagged:.1%} flagged as complaints (sensitive).",
    ]
    return lines


def speed_lines() -> list[str]:
    from data_access.text.cues import load_cues  # noqa: PLC0415
    from data_access.text.scorers import scorer_of  # noqa: PLC0415
    from data_access.text.tokens import tokens_of  # noqa: PLC0415

    texts = [text for text, _, _ in airline_rows()]
    scorer, cues = scorer_of(), load_cues()
    scorer.score(texts[:200])
    count = len(texts)

    def rate(work: Callable[[], object]) -> float:
        times = []
        for _ in range(3):
            start = time.process_time()
            work()
            times.append(time.process_time() - start)
        return count / sorted(times)[1]

    sentiment = rate(lambda: scorer.score(texts))
    cue = rate(lambda: [cues.find(tokens_of(text)) for text in texts])
    flags = [True] * count
    whole = rate(lambda: read_batch(texts, inbound=flags, public=flags, settings=SETTINGS))
    long = "My order is late and nobody answers the phone. " * 470
    start = time.process_time()
    read_batch([long[:22_000], "😡" * 10_000], inbound=[True] * 2, public=[True] * 2, settings=SETTINGS)
    seconds = time.process_time() - start
    return [
        "| what | texts a second, one core |",
        "|---|---|",
        f"| sentiment | {sentiment:,.0f} |",
        f"| cues | {cue:,.0f} |",
        f"| language, sentiment and cues (`read_batch`) | {whole:,.0f} |",
        "",
        f"A text of 22,000 characters and one of 10,000 emoji together: {seconds:.2f} s.",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="renew benchmarks/text.md")
    chosen = parser.parse_args()
    if not DATA.exists():
        sys.exit(f"{DATA} is absent: the labelled sets are not part of the repository.")
    report = "\n".join(
        [
            "# Reading text: measured error and speed",
            "",
            "Made by `python benchmarks/text_quality.py --write` on `../shared/data`; no text of a "
            "data set is kept here.",
            "",
            "The weights are trained on SemEval 2013–2016 tweets alone; the airline, complaint and "
            "bank sets were only ever measured.",
            "1,700 of the 2,000 TweetEval validation tweets stand in the training file too: they are "
            "left out of training, so the",
            "figures below are on unseen texts. A text that is not scored counts as a miss. VADER: "
            "compound ±0.05; for complaints,",
            "what it calls negative.",
            "",
            "## Quality",
            "",
            *quality_lines(),
            "",
            "## Levels",
            "",
            *share_lines(),
            "",
            "## Speed",
            "",
            *speed_lines(),
            "",
        ]
    )
    print(report)
    if chosen.write:
        REPORT.write_text(report, encoding="utf-8")


if __name__ == "__main__":
    main()
