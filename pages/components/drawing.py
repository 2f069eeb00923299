"""A figure put together as plain dictionaries and handed to plotly once.

`go.Figure` checks every property each time one is set, and copies what it has: a chart with thirty labels takes 50 to
800 ms that way, and 2 ms when it is made in one piece. What comes out is the same figure; the tests check each of
them against plotly's own validators. Charts are pure functions of their frames, so one that was drawn is kept.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ParamSpec

import pandas as pd
import plotly.graph_objects as go

from pages.components.keeping import kept

_P = ParamSpec("_P")
_Part = dict[str, Any]


class Drawing:
    """Traces and layout in the making, with the names and meaning of the methods of `go.Figure`, for one plot area."""

    def __init__(self) -> None:
        self.data: list[_Part] = []
        self.layout: _Part = {}

    def add_bar(self, **trace: Any) -> None:
        """Bars."""
        self._add("bar", trace)

    def add_scatter(self, **trace: Any) -> None:
        """Lines or points."""
        self._add("scatter", trace)

    def add_heatmap(self, **trace: Any) -> None:
        """Cells of a grid."""
        self._add("heatmap", trace)

    def add_sankey(self, **trace: Any) -> None:
        """Flows between nodes."""
        self._add("sankey", trace)

    def add_annotation(self, **annotation: Any) -> None:
        """A text."""
        self.layout.setdefault("annotations", []).append(annotation)

    def add_vline(self, *, x: Any, line: _Part, top: float = 1) -> None:
        """A line over the whole height, or up to `top` of it; beyond 1 it goes into the margin."""
        self._add_line({"x0": x, "x1": x, "xref": "x", "y0": 0, "y1": top, "yref": "y domain", "line": line})

    def add_hline(self, *, y: Any, line: _Part) -> None:
        """A line over the whole width."""
        self._add_line({"x0": 0, "x1": 1, "xref": "x domain", "y0": y, "y1": y, "yref": "y", "line": line})

    def update_layout(self, **changes: Any) -> None:
        """Change the layout; dictionaries are merged, None removes."""
        _merge(self.layout, changes)

    def update_xaxes(self, **changes: Any) -> None:
        """Change the horizontal axis."""
        _merge(self.layout.setdefault("xaxis", {}), changes)

    def update_yaxes(self, **changes: Any) -> None:
        """Change the vertical axis."""
        _merge(self.layout.setdefault("yaxis", {}), changes)

    def figure(self) -> Chart:
        """The figure, unchecked."""
        return Chart({"data": self.data, "layout": self.layout}, _validate=False)

    def _add(self, kind: str, trace: _Part) -> None:
        made: _Part = {"type": kind}
        _merge(made, trace)
        self.data.append(made)

    def _add_line(self, shape: _Part) -> None:
        self.layout.setdefault("shapes", []).append({"type": "line", **shape})


class Chart(go.Figure):  # type: ignore[misc]
    """A figure that many reruns and sessions share: whoever wants another asks for a `variant`."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._sent: dict[str, Sent] = {}
        self._variants: dict[str, Chart] = {}

    def variant(self, name: str, change: Callable[[Chart], None]) -> Chart:
        """A changed copy, kept beside the figure; a name stands for one change only."""
        if name not in self._variants:
            copy = Chart(self)
            change(copy)
            self._variants[name] = copy
        return self._variants[name]

    def sent(self, text_color: str) -> Sent:
        """As it goes to the browser: texts, legend and axes in one colour, save texts that have a colour of their own.

        Without a colour they have that of plotly's theme. Made once for each colour.
        """
        if text_color not in self._sent:
            self._sent[text_color] = self._in_color(text_color)
        return self._sent[text_color]

    def _in_color(self, color: str) -> Sent:
        spec, made = self.to_plotly_json(), Drawing()
        made.data, made.layout = spec["data"], spec["layout"]
        if color:
            made.update_layout(font={"color": color}, legend={"font": {"color": color}})
            made.update_xaxes(tickfont={"color": color}, title={"font": {"color": color}})
            made.update_yaxes(tickfont={"color": color})
        return Sent({"data": made.data, "layout": made.layout}, _validate=False)


class Sent(go.Figure):  # type: ignore[misc]
    """A figure that is only shown: its plain dictionary is made once, not copied for every reader."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._plain: _Part = super().to_dict()

    def to_dict(self) -> _Part:
        """Data and layout as they are sent."""
        return self._plain


def drawn(chart: Callable[_P, Drawing]) -> Callable[_P, Chart]:
    """Make a chart of the function that draws it; the same frame and choices give the chart already made."""

    @functools.wraps(chart)
    def _figure(*arguments: _P.args, **named: _P.kwargs) -> Chart:
        return chart(*arguments, **named).figure()

    return kept(_figure)


def _merge(into: _Part, changes: _Part) -> None:
    for name, value in changes.items():
        if value is None:
            into.pop(name, None)
        elif isinstance(value, dict):
            inner = into.get(name)
            into[name] = inner = inner if isinstance(inner, dict) else {}
            _merge(inner, value)
        else:
            into[name] = value.to_numpy() if isinstance(value, pd.Series) else value
