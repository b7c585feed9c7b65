"""Writes what is generated: ``python -m grafana`` (``make generated``). ``--check`` only names what is stale."""

from __future__ import annotations

import sys

from grafana.write import stale, write

if __name__ == "__main__":
    if "--check" in sys.argv[1:]:
        old = stale()
        print("\n".join(f"stale: {each}" for each in old))
        sys.exit(bool(old))
    write()
