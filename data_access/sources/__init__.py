"""File kinds: each turns a file into column batches, and knows nothing of tables."""

from pathlib import Path

from data_access.errors import SourceError
from data_access.sources import customers, mapped, twcs
from data_access.sources.base import Source
from data_access.sources.delimited import read_header

SOURCES: dict[str, Source] = {source.name: source for source in (twcs.SOURCE, mapped.SOURCE, customers.SOURCE)}


def recognise(path: Path, encoding: str | None = None) -> str:
    """Name of the source whose columns the file has. Raises SourceError where none fits."""
    names = {name.lower() for name in read_header(path, encoding=encoding, delimiter=",")}
    if {"tweet_id", "author_id", "inbound", "created_at"} <= names:
        return twcs.SOURCE.name
    if "customer_id" in names and names & {"identities", "birth_date", "birth_year", "age_group"}:
        return customers.SOURCE.name
    raise SourceError(
        f"{path}: its columns ({', '.join(sorted(names))[:200]}) are those of no known format; "
        "describe them with --source csv --mapping MAP.toml"
    )
