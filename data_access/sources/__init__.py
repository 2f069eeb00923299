"""File kinds: each turns a file into column batches, and knows nothing of tables."""

from data_access.sources import customers, mapped, twcs
from data_access.sources.base import Source

SOURCES: dict[str, Source] = {
    source.name: source for source in (twcs.SOURCE, mapped.SOURCE, customers.SOURCE)
}
