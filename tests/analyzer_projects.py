"""Small projects written to disk, and what a scan finds in them."""

from pathlib import Path

from llmcost_analyzer.entries import Entry, Scan
from llmcost_analyzer.scanner import Options, scan


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def scanned(root: Path, files: dict[str, str]) -> Scan:
    return scan(write(root, files), Options(cache=False))


def found(root: Path, files: dict[str, str]) -> dict[str, Entry]:
    """The entries by name of the function; the names must differ."""
    return {entry.function: entry for entry in scanned(root, files).entries}
