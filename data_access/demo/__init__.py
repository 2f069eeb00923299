"""The demo company: Larkfield, a simulated broadband and mobile provider, as files with known truth."""

from data_access.demo.stories import ALL_STORIES
from data_access.demo.truth import DemoTruth
from data_access.demo.writer import write_demo_sources

__all__ = ["ALL_STORIES", "DemoTruth", "write_demo_sources"]
