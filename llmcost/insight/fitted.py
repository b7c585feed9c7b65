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
SCALE_WEIGHTS: Final = (-0.657, 0.513, -0.084, 0.094, 0.368, -0.171)
"""Weights of the signs (1, spread, errors 1, 3, 7 and 14 days ahead, as logs) in the log of a total's usual error."""

ERRORS: Final = (
    (-14.104, -7.204, -4.778, -2.766, -1.601, -0.997, -0.549, -0.161, 0.208, 0.604, 1.141, 2.096, 3.028, 4.141, 7.295),
    (-10.059, -4.891, -3.284, -2.171, -1.309, -0.816, -0.430, -0.094, 0.261, 0.625, 1.103, 1.886, 2.708, 3.614, 6.647),
    (-6.529, -3.373, -2.482, -1.795, -1.118, -0.669, -0.312, -0.009, 0.292, 0.644, 1.080, 1.750, 2.522, 3.473, 6.279),
    (-5.104, -2.979, -2.217, -1.580, -0.965, -0.537, -0.213, 0.077, 0.349, 0.663, 1.059, 1.727, 2.481, 3.378, 6.800),
    (-4.685, -2.800, -2.183, -1.571, -0.903, -0.489, -0.168, 0.133, 0.441, 0.752, 1.158, 1.892, 2.760, 3.952, 6.989),
    (-4.346, -2.833, -2.218, -1.559, -0.872, -0.447, -0.113, 0.182, 0.488, 0.851, 1.265, 2.089, 3.044, 4.398, 7.484),
    (-4.075, -2.758, -2.215, -1.586, -0.825, -0.399, -0.055, 0.246, 0.530, 0.890, 1.357, 2.235, 3.408, 4.584, 7.825),
)
"""Quantiles of log error / scale, a row a distance."""
# fmt: on
