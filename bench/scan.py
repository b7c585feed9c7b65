"""How fast a scan is: cold, warm, and after one changed file, over a project made of copies of a real one, in
which one file calls a model: without any there is no call graph to build.

python bench/scan.py                     the standard library, copied up to 1,000,000 and 300,000 lines
python bench/scan.py --from FOLDER       copies of the sub-folders of FOLDER instead
python bench/scan.py --parsers           lines a second of ast with our pass, and of LibCST
python bench/scan.py --robust [FOLDER ...]   scans the standard library and the installed packages, or these folders
"""

from __future__ import annotations

import argparse
import resource
import shutil
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "analyzer")]

STDLIB = Path(sysconfig.get_paths()["stdlib"])
CHANGES = {
    "a comment": "\n# changed\n",
    "a constant": "\nCHANGED = 1\n",
    "a function": "\n\ndef changed(rows):\n    print(rows)\n    return rows\n",
    "an import": "\nimport decimal\n",
    "a call": "\nprint(len('changed'))\n",
    "a call of a function": "\n\ndef changed_too(rows):\n    return changed(rows)\n",
    "a class": "\n\nclass Changed:\n    def turned(self, rows):\n        return changed(rows)\n",
    "a call of a model": "\nfrom openai import OpenAI\nclient = OpenAI()\nclient.responses.create(input='x')\n",
}
"""What is written to the end of a file: the last one matters to the map."""
CHANGED_FILES = 3
"""In so many files, one after the other; the middle time is told."""
SKIPPED = {"site-packages", "test", "lib2to3", "idlelib", "__pycache__"}


def copy_up_to(target: Path, sources: list[Path], lines: int) -> int:
    """Copies whole folders, round after round, until there are enough lines."""
    count = number = 0
    while count < lines:
        for source in sources:
            into = target / f"copy{number}" / source.name
            for path in sorted(source.rglob("*.py") if source.is_dir() else [source]):
                if SKIPPED & set(path.relative_to(source).parts):
                    continue
                out = into / path.relative_to(source) if source.is_dir() else into
                out.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, out)
                count += path.read_bytes().count(b"\n")
                if count >= lines:
                    return count
        number += 1
    return count


def timed(folder: Path) -> tuple[float, float]:
    """Seconds and peak megabytes of one `llmcost scan` as a process of its own."""
    code = "import sys; from llmcost.cli import main; sys.exit(main(['scan', sys.argv[1], '--quiet']))"
    before = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", code, str(folder)], check=True, env={"PYTHONPATH": f"{ROOT}:{ROOT / 'analyzer'}"}
    )
    return time.perf_counter() - before, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def after_change(folder: Path, path: Path, text: str) -> float:
    """Seconds of a scan after something was written at the end of one file."""
    path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")
    return timed(folder)[0]


def run(sources: list[Path], lines: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        count = copy_up_to(folder, sources, lines)
        (folder / "app.py").write_text(CHANGES["a call of a model"], encoding="utf-8")
        cold, memory = timed(folder)
        warm, _ = timed(folder)
        changed = [path for path in sorted(folder.rglob("*.py")) if path.stat().st_size > 2000]
        some = changed[:: len(changed) // CHANGED_FILES + 1]
        after = {what: [after_change(folder, path, text) for path in some] for what, text in CHANGES.items()}
    print(f"{count:>9,} lines  cold {cold:.1f} s  warm {warm:.2f} s  {memory:,.0f} MB")
    for what, times in after.items():
        middle = statistics.median(times)
        print(f"{what:>27}  {middle:.2f} s ({min(times):.2f} to {max(times):.2f}), 1/{cold / middle:.0f} of cold")


def parsers() -> None:
    import libcst as cst
    from libcst.metadata import MetadataWrapper, PositionProvider

    from llmcost_analyzer.finder import read_facts

    paths = sorted(STDLIB.glob("*.py"))[:60]
    texts = [path.read_text(encoding="utf-8") for path in paths]
    total = sum(text.count("\n") for text in texts)
    before = time.perf_counter()
    for text in texts:
        read_facts("m.py", text, "m", is_package=False)
    ours = time.perf_counter() - before
    before = time.perf_counter()
    for text in texts:
        MetadataWrapper(cst.parse_module(text), unsafe_skip_copy=True).resolve(PositionProvider)
    theirs = time.perf_counter() - before
    print(f"{total:,} lines: ours {total / ours:,.0f} lines/s, LibCST with positions {total / theirs:,.0f} lines/s")


def robust(folders: list[Path]) -> None:
    from llmcost_analyzer.scanner import Options, scan

    for root in folders or [STDLIB, Path(sysconfig.get_paths()["purelib"])]:
        found = scan(root, Options(cache=False))
        print(f"{root}: {found.files:,} files, {found.lines:,} lines, {len(found.entries):,} functions, no crash")
        for skipped in found.skipped:
            print(f"  {skipped.path}: {skipped.reason}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--from", dest="source", type=Path)
    parser.add_argument("--parsers", action="store_true")
    parser.add_argument("--robust", type=Path, nargs="*")
    parser.add_argument("--lines", type=int, nargs="*", default=[1_000_000, 300_000])
    args = parser.parse_args()
    if args.parsers:
        return parsers()
    if args.robust is not None:
        return robust(args.robust)
    sources = sorted(path for path in args.source.iterdir() if path.is_dir()) if args.source else [STDLIB]
    for lines in args.lines:
        run(sources, lines)
    return None


if __name__ == "__main__":
    main()
