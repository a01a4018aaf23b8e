"""The frame that figures of several pages share."""

from typing import Any

import plotly.graph_objects as go


def framed(figure: go.Figure, height: int, **legend: Any) -> go.Figure:
    """The figure at this height in pixels, with room for its axes and the legend above the plot; `legend`: more of it.
    """
    figure.update_layout(height=height, margin={"l": 8, "r": 8, "t": 28, "b": 8}, hovermode="closest",
                         legend={"orientation": "h", "yanchor": "bottom", "y": 1.0, "x": 0} | legend)
    return figure
