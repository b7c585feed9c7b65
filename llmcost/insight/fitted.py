"""Constants fitted on real series by ``scripts/fit_insight.py``. Not edited by hand.

Series: downloads, page views, station entries, tweets and rides a day; see docs/explanation/forecast.md.
"""

from __future__ import annotations

from typing import Final

LEVELS: Final = (0.005, 0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.975, 0.995)
"""Probabilities of the quantiles below."""

HORIZONS: Final = (1, 2, 4, 9, 16, 23, 30)
"""Distances in days."""

# fmt: off
SCALE_WEIGHTS: Final = (-0.698, 0.367, 0.062, 0.151, 0.165, -0.030)
"""Weights of the signs (1, spread, errors 1, 3, 7 and 14 days ahead, as logs) in the log of a total's usual error."""

ERRORS: Final = (
    (-14.180, -7.231, -4.833, -2.809, -1.639, -1.020, -0.554, -0.159, 0.218, 0.622, 1.157, 2.101, 3.089, 4.149, 7.412),
    (-10.268, -4.949, -3.331, -2.213, -1.343, -0.834, -0.433, -0.089, 0.267, 0.631, 1.125, 1.932, 2.776, 3.674, 6.829),
    (-6.596, -3.443, -2.542, -1.852, -1.136, -0.681, -0.312, -0.010, 0.300, 0.659, 1.094, 1.775, 2.543, 3.518, 6.396),
    (-5.180, -2.991, -2.286, -1.633, -0.976, -0.547, -0.216, 0.080, 0.365, 0.677, 1.071, 1.767, 2.562, 3.470, 6.861),
    (-4.696, -2.872, -2.247, -1.609, -0.926, -0.496, -0.170, 0.136, 0.438, 0.765, 1.171, 1.917, 2.880, 4.022, 7.209),
    (-4.387, -2.855, -2.263, -1.608, -0.895, -0.459, -0.121, 0.183, 0.490, 0.858, 1.279, 2.133, 3.204, 4.450, 7.405),
    (-4.087, -2.796, -2.270, -1.630, -0.848, -0.408, -0.058, 0.245, 0.529, 0.907, 1.378, 2.286, 3.497, 4.805, 7.892),
)
"""Quantiles of log error / scale, a row a distance."""
# fmt: on
