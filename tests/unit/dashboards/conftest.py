"""The rows of the dashboards are no part of the wheel; they are imported from the checkout, after all else."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[3]))
