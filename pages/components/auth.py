"""Who looks: the sign-in gate, and what a viewer may see.

No sign-in is configured in this version: everybody on the machine is let in, limited to the teams and
brands of `FRONTDOOR_TEAMS` and `FRONTDOOR_BRANDS` (comma separated) where these are set. The gate is asked
at the one door to the data, outside every cached function.
"""

from __future__ import annotations

import dataclasses
import os

TEAMS_VARIABLE = "FRONTDOOR_TEAMS"
BRANDS_VARIABLE = "FRONTDOOR_BRANDS"


@dataclasses.dataclass(frozen=True)
class Viewer:
    """One viewer; None means "not limited", an empty tuple means "nothing"."""

    name: str = ""
    teams: tuple[str, ...] | None = None
    brands: tuple[str, ...] | None = None

    @property
    def is_limited(self) -> bool:
        """True where the viewer does not see everything."""
        return self.teams is not None or self.brands is not None


def current_viewer() -> Viewer | None:
    """The signed-in viewer; None where a sign-in is needed and has not happened."""
    return Viewer(teams=_listed(TEAMS_VARIABLE), brands=_listed(BRANDS_VARIABLE))


def _listed(variable: str) -> tuple[str, ...] | None:
    text = os.environ.get(variable)
    if text is None or not text.strip():
        return None
    return tuple(part.strip() for part in text.split(",") if part.strip())
