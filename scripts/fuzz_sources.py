"""Coverage-guided fuzzing of one source, out of CI: what a file holds decides which bytes are tried next.

`python scripts/fuzz_sources.py zendesk --seconds 600` starts from the small files of the tests, keeps what reaches new
code in the temporary folder, and stops at the first input that ends in anything but sound batches or one line.
Needs atheris (`pip install atheris`), a libFuzzer for Python.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["data_access.sources"]):
    from data_access.errors import FrontdoorError
    from data_access.sources import SOURCES
    from data_access.sources.base import Batch, StoredEvent

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from source_files import FOLDERS, as_bytes

CUT = b"\n--- next file ---\n"
MAX_FILES = 8


class NothingStored:
    """A store without earlier loads, as a source sees it."""

    def company_accounts(self) -> Mapping[str, str]:
        """One company address."""
        return {"support@acme.example": "Acme"}

    def related_events(self, ids: Iterable[str], new_accounts: Sequence[str]) -> Iterator[StoredEvent]:
        """None."""
        return iter(())


def check(batch: Batch) -> None:
    """What must hold of every batch. Raises AssertionError."""
    stored = batch.events.num_rows if batch.events is not None else 0
    if batch.read_count < stored + len(batch.rejects):
        raise AssertionError(f"{batch.read_count} read, {stored} events, {len(batch.rejects)} rejects")
    if batch.events is not None and batch.events["external_id"].null_count:
        raise AssertionError("an event without an id")


def main() -> None:
    """Fuzz until something breaks, or the time is over."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", choices=list(FOLDERS))
    parser.add_argument("--seconds", type=int, default=300)
    options = parser.parse_args()
    source = SOURCES[options.source]
    corpus = Path(tempfile.gettempdir()) / "frontdoor-fuzz" / options.source
    corpus.mkdir(parents=True, exist_ok=True)
    for shape, files in FOLDERS[options.source].items():
        (corpus / shape).write_bytes(CUT.join(map(as_bytes, files.values())))
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - a folder of our own in it
    root = Path(tempfile.mkdtemp(prefix="frontdoor-fuzz-", dir=memory))

    def one_input(data: bytes) -> None:
        parts = data.split(CUT)[:MAX_FILES]
        paths = [root / str(number) for number in range(len(parts))]
        for path, part in zip(paths, parts, strict=True):
            path.write_bytes(part)
        try:
            orders = [(paths[0], tuple(paths[1:]))] if source.is_folder else [(path, ()) for path in paths]
            for first, more in orders:
                for batch in source.read(
                    first, more=more, context=NothingStored(), mapping=None, encoding=None, age_bands=()
                ):
                    check(batch)
        except FrontdoorError as problem:
            if len(str(problem).splitlines()) != 1:
                raise AssertionError("an error of several lines") from problem

    try:
        limits = [f"-max_total_time={options.seconds}", "-max_len=20000", f"-artifact_prefix={corpus.parent}/"]
        atheris.Setup([sys.argv[0], *limits, str(corpus)], one_input)
        atheris.Fuzz()
    finally:
        shutil.rmtree(root, ignore_errors=True)


if __name__ == "__main__":
    main()
