"""Puts TOML files that a program needs together in one of JSON, which it reads faster; see ``make generated``."""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

from freshness import keep_fresh

from llmcost.pricing import tables
from llmcost.providers import loading


def together(folder: Path) -> str:
    """The files of a folder by name, one a line."""
    found = {path.name: tomllib.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.toml"))}
    return (
        "{\n" + ",\n".join(f"{json.dumps(name)}: {json.dumps(document)}" for name, document in found.items()) + "\n}\n"
    )


def main(argv: Sequence[str]) -> int:
    """Write the files, or compare them."""
    return keep_fresh({loading.TOGETHER: together(loading.DATA), tables.TOGETHER: together(tables.DATA)}, argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
