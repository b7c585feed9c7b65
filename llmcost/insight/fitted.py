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
SCALE_WEIGHTS: Final = (-0.707, 0.405, 0.104, 0.185, 0.193, -0.032)
"""Weights of the signs (1, spread, errors 1, 3, 7 and 14 days ahead, as logs) in the log of a total's usual error."""

ERRORS: Final = (
    (-19.654, -9.995, -5.912, -3.510, -2.094, -1.308, -0.734, -0.201, 0.311, 0.859, 1.557, 2.735, 3.909, 4.977, 9.283),
    (-15.049, -6.862, -4.197, -2.785, -1.720, -1.087, -0.568, -0.111, 0.367, 0.857, 1.481, 2.454, 3.471, 4.445, 8.558),
    (-10.238, -4.824, -3.169, -2.312, -1.466, -0.892, -0.412, -0.000, 0.413, 0.880, 1.431, 2.260, 3.208, 4.199, 7.862),
    (-8.493, -4.267, -2.870, -2.085, -1.272, -0.721, -0.284, 0.108, 0.474, 0.897, 1.386, 2.229, 3.164, 4.188, 8.331),
    (-7.547, -4.155, -2.864, -2.059, -1.218, -0.653, -0.217, 0.186, 0.584, 0.993, 1.489, 2.417, 3.572, 4.716, 8.909),
    (-6.625, -4.191, -2.929, -2.077, -1.181, -0.604, -0.152, 0.237, 0.649, 1.110, 1.627, 2.695, 3.840, 5.398, 8.957),
    (-6.014, -4.211, -2.988, -2.124, -1.113, -0.542, -0.063, 0.322, 0.695, 1.163, 1.734, 2.871, 4.330, 5.623, 9.822),
)
"""Quantiles of log error / scale, a row a distance."""
# fmt: on

VOLUME_LEVELS: Final = (6.3, 8.8, 13.9)
"""Scores of a bucket's spend for about 2.5, 0.87, 0.24 alerts a key and week."""
