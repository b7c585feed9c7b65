"""Files that repeat what the code says: written where they are stale, or only compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path


def keep_fresh(texts: Mapping[Path, str], argv: Sequence[str]) -> int:
    """Write the files whose text is another; with ``--check`` among the arguments only name them.

    Args:
        texts: what each file should say.
        argv: the arguments of the command.

    Returns:
        The exit code: 1 where something is stale and was not to be written.
    """
    check = "--check" in argv
    stale = [path for path, text in texts.items() if not path.is_file() or path.read_text(encoding="utf-8") != text]
    for path in () if check else stale:
        path.write_text(texts[path], encoding="utf-8")
    if stale:
        print(f"{'stale, run make generated' if check else 'written'}: {', '.join(path.name for path in stale)}")
    return 1 if stale and check else 0
