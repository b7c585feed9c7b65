"""Puts the providers' TOML files together in one of JSON, which a program reads faster; see ``make generated``."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

from llmcost.providers.loading import TOGETHER, packaged_files


def together() -> str:
    """The file: one line a provider."""
    lines = [f"{json.dumps(name)}: {json.dumps(document)}" for name, document in packaged_files()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def main(argv: Sequence[str]) -> int:
    """Write the file, or compare it."""
    text = together()
    if TOGETHER.is_file() and TOGETHER.read_text(encoding="utf-8") == text:
        return 0
    if "--check" in argv:
        print(f"{TOGETHER.name} is stale, run make generated")
        return 1
    TOGETHER.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
