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
SCALE_WEIGHTS: Final = (-0.689, 0.395, 0.070, 0.174, 0.194, -0.006)
"""Weights of the signs (1, spread, errors 1, 3, 7 and 14 days ahead, as logs) in the log of a total's usual error."""

ERRORS: Final = (
    (-19.593, -9.847, -5.896, -3.484, -2.079, -1.305, -0.740, -0.200, 0.316, 0.863, 1.553, 2.712, 3.892, 4.724, 8.540),
    (-15.013, -6.825, -4.149, -2.761, -1.713, -1.086, -0.573, -0.112, 0.370, 0.859, 1.481, 2.448, 3.469, 4.232, 8.056),
    (-10.262, -4.766, -3.125, -2.287, -1.454, -0.900, -0.415, -0.000, 0.418, 0.882, 1.432, 2.236, 3.200, 3.944, 7.878),
    (-8.275, -4.248, -2.845, -2.059, -1.261, -0.722, -0.286, 0.110, 0.478, 0.906, 1.383, 2.209, 3.162, 4.009, 8.060),
    (-7.270, -4.099, -2.827, -2.034, -1.210, -0.660, -0.218, 0.189, 0.587, 0.990, 1.480, 2.415, 3.567, 4.541, 8.273),
    (-6.516, -4.130, -2.881, -2.054, -1.169, -0.609, -0.153, 0.239, 0.655, 1.102, 1.621, 2.681, 3.867, 5.167, 8.314),
    (-5.868, -4.101, -2.928, -2.098, -1.115, -0.544, -0.063, 0.325, 0.693, 1.167, 1.724, 2.846, 4.353, 5.436, 9.192),
)
"""Quantiles of log error / scale, a row a distance."""
# fmt: on

VOLUME_LEVELS: Final = (5.0, 7.0, 10.9)
"""Scores of a bucket's spend for about 2.3, 0.8, 0.24 alerts a key and week."""
