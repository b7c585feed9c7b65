"""Facts of files and the last result, kept in ``.llmcost/cache/facts.db`` between scans."""

from __future__ import annotations

import hashlib
import pickle
import sqlite3
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing, suppress
from importlib import resources
from pathlib import Path
from typing import Any, Final

from llmcost_analyzer.project import Source

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS facts (path TEXT PRIMARY KEY, size INTEGER, mtime_ns INTEGER, data BLOB) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS kept (name TEXT PRIMARY KEY, data BLOB) WITHOUT ROWID;
"""


def version() -> str:
    """Changes with the scanner's own code and the Python that runs it, so that neither meets old facts."""
    digest = hashlib.sha256(sys.version.encode())
    for item in sorted(_own_files(), key=lambda f: f.name):
        digest.update(item.read_bytes())
    return digest.hexdigest()


def _own_files() -> Iterable[Any]:
    root = resources.files("llmcost_analyzer")
    for folder in (root, root.joinpath("labelers")):
        for item in folder.iterdir():
            if item.name.endswith((".py", ".toml")):
                yield item


class Cache:
    """The cache of one project. A cache that is broken or of another version is made anew.

    What is pickled here was written by this program into the project's own folder, with the rights of its user.
    """

    def __init__(self, folder: Path | None) -> None:
        self._version = version()
        self._path = None if folder is None else folder / "facts.db"
        self._connection = self._open()

    def _open(self) -> sqlite3.Connection:
        if self._path is None:
            return _fresh(sqlite3.connect(":memory:"), self._version)
        try:
            return self._on_disk(self._path)
        except sqlite3.Error:
            with suppress(OSError):
                self._path.unlink(missing_ok=True)
        except OSError:
            return _fresh(sqlite3.connect(":memory:"), self._version)
        try:
            return self._on_disk(self._path)
        except (sqlite3.Error, OSError):
            return _fresh(sqlite3.connect(":memory:"), self._version)

    def _on_disk(self, path: Path) -> sqlite3.Connection:
        path.parent.mkdir(parents=True, exist_ok=True)
        ignore = path.parent / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n", encoding="utf-8")
        connection = sqlite3.connect(path, timeout=2)
        connection.execute("PRAGMA synchronous = OFF")
        connection.executescript(_SCHEMA)
        row = connection.execute("SELECT data FROM kept WHERE name = 'version'").fetchone()
        if row is None or row[0] != self._version:
            connection.execute("DELETE FROM facts")
            connection.execute("DELETE FROM kept")
            return _fresh(connection, self._version)
        return connection

    def known(self, sources: Sequence[Source]) -> Mapping[str, bytes]:
        """Pickled facts (or reasons for skipping) of the files that have not changed."""
        stamps = stamps_of(sources)
        out: dict[str, bytes] = {}
        for path, size, mtime_ns, data in self._connection.execute("SELECT path, size, mtime_ns, data FROM facts"):
            if stamps.get(path) == (size, mtime_ns):
                out[path] = data
        return out

    def stamps(self) -> dict[str, tuple[int, int]]:
        """Size and time of the files whose facts are there, as they were then."""
        rows = self._connection.execute("SELECT path, size, mtime_ns FROM facts")
        return {path: (size, mtime_ns) for path, size, mtime_ns in rows}

    def stored(self, path: str) -> bytes:
        """Pickled facts of a file that are there."""
        row: tuple[bytes] = self._connection.execute("SELECT data FROM facts WHERE path = ?", (path,)).fetchone()
        return row[0]

    def store(self, rows: Iterable[tuple[Source, bytes]], keep: Iterable[str]) -> None:
        """Write the facts of changed files and drop those of files that are gone."""
        with suppress(sqlite3.Error), self._connection:
            self._connection.executemany(
                "INSERT OR REPLACE INTO facts VALUES (?, ?, ?, ?)",
                ((source.path, source.size, source.mtime_ns, data) for source, data in rows),
            )
            present = set(keep)
            gone = [(p,) for (p,) in self._connection.execute("SELECT path FROM facts") if p not in present]
            self._connection.executemany("DELETE FROM facts WHERE path = ?", gone)

    def kept(self, name: str) -> Any:
        """An object that was kept, or None."""
        row = self._connection.execute("SELECT data FROM kept WHERE name = ?", (name,)).fetchone()
        if row is None:
            return None
        try:
            return pickle.loads(row[0])  # noqa: S301 - our own file
        except (pickle.UnpicklingError, AttributeError, EOFError, ImportError, IndexError):
            return None

    def keep(self, name: str, value: object) -> None:
        """Keep an object under a name."""
        self.keep_all({name: value})

    def keep_all(self, rows: Mapping[str, object]) -> None:
        """Keep all of these objects under their names, or none; what is None goes."""
        data = [(name, pickle.dumps(value, protocol=5)) for name, value in rows.items() if value is not None]
        with suppress(sqlite3.Error), self._connection:
            self._connection.executemany("INSERT OR REPLACE INTO kept VALUES (?, ?)", data)
            gone = [(name,) for name, value in rows.items() if value is None]
            self._connection.executemany("DELETE FROM kept WHERE name = ?", gone)

    def close(self) -> None:
        """Close the file."""
        with suppress(sqlite3.Error), closing(self._connection):
            pass


def _fresh(connection: sqlite3.Connection, version_text: str) -> sqlite3.Connection:
    connection.executescript(_SCHEMA)
    with connection:
        connection.execute("INSERT OR REPLACE INTO kept VALUES ('version', ?)", (version_text,))
    return connection


def stamps_of(sources: Iterable[Source]) -> dict[str, tuple[int, int]]:
    """Size and time of each file, by path."""
    return {source.path: (source.size, source.mtime_ns) for source in sources}


def fingerprint(stamps: Mapping[str, tuple[int, int]]) -> str:
    """Changes when any file does.

    Args:
        stamps: size and time of each file, by path.
    """
    digest = hashlib.sha256()
    for path, (size, mtime_ns) in sorted(stamps.items()):
        digest.update(f"{path}\0{size}\0{mtime_ns}\n".encode())
    return digest.hexdigest()
