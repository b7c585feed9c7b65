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
    (-14.439, -7.362, -4.920, -2.858, -1.666, -1.036, -0.561, -0.159, 0.225, 0.637, 1.181, 2.143, 3.149, 4.229, 7.552),
    (-10.456, -5.039, -3.391, -2.253, -1.366, -0.848, -0.439, -0.089, 0.274, 0.645, 1.147, 1.969, 2.829, 3.744, 6.958),
    (-6.718, -3.507, -2.589, -1.886, -1.157, -0.694, -0.317, -0.010, 0.306, 0.671, 1.114, 1.808, 2.590, 3.583, 6.515),
    (-5.277, -3.048, -2.330, -1.664, -0.996, -0.559, -0.221, 0.080, 0.370, 0.688, 1.089, 1.798, 2.608, 3.533, 6.986),
    (-4.785, -2.927, -2.291, -1.641, -0.945, -0.507, -0.175, 0.136, 0.444, 0.777, 1.190, 1.950, 2.931, 4.094, 7.340),
    (-4.472, -2.911, -2.308, -1.641, -0.915, -0.471, -0.126, 0.183, 0.496, 0.871, 1.300, 2.169, 3.260, 4.530, 7.539),
    (-4.167, -2.852, -2.316, -1.664, -0.868, -0.421, -0.064, 0.245, 0.534, 0.919, 1.399, 2.324, 3.558, 4.889, 8.034),
)
"""Quantiles of log error / scale, a row a distance."""
# fmt: on
