"""Puts TOML files that a program needs together in one of JSON, which it reads faster; see ``make generated``."""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

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
    stale = []
    for folder, path in ((loading.DATA, loading.TOGETHER), (tables.DATA, tables.TOGETHER)):
        text = together(folder)
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            stale.append(str(path))
            if "--check" not in argv:
                path.write_text(text, encoding="utf-8")
    if stale:
        print(f"{'stale, run make generated' if '--check' in argv else 'written'}: {', '.join(stale)}")
    return 1 if stale and "--check" in argv else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
