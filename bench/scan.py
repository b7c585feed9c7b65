"""How fast a scan is: cold, warm, and after one changed file, over a project made of copies of a real one, in
which one file calls a model: without any there is no call graph to build.

python bench/scan.py                     the standard library, copied up to 1,000,000 and 300,000 lines
python bench/scan.py --from FOLDER       copies of the sub-folders of FOLDER instead
python bench/scan.py --parsers           lines a second of ast with our pass, and of LibCST
python bench/scan.py --robust [FOLDER ...]   scans the standard library and the installed packages, or these folders
"""

from __future__ import annotations

import argparse
import ast
import re
import resource
import shutil
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "analyzer")]

Edit = Callable[[str], str]
STDLIB = Path(sysconfig.get_paths()["stdlib"])
MODEL_CALL = "\nfrom openai import OpenAI\nclient = OpenAI()\nclient.responses.create(input='x')\n"


def added(text: str) -> Edit:
    """Something more at the end of a file."""
    return lambda before: before + text


def body(text: str) -> str:
    """One more statement in a function."""
    head, line, tail = text.rpartition("\n    return")
    return f"{head}\n    print('changed'){line}{tail}" if line else text


def constant(text: str) -> str:
    """The first constant of a module has another value."""
    return re.sub(r"(?m)^([A-Za-z_]\w*) = .*[^\\(\[{,]$", r"\1 = 'changed'", text, count=1)


def without_last(text: str) -> str:
    """The last function or class of a module is gone."""
    found = [node for node in ast.parse(text).body if isinstance(node, (ast.FunctionDef, ast.ClassDef))]
    if not found:
        return text
    lines, last = text.split("\n"), found[-1]
    first = min([last.lineno, *(decorator.lineno for decorator in last.decorator_list)])
    return "\n".join(lines[: first - 1] + lines[last.end_lineno :])


EDITS: dict[str, Edit] = {
    "a comment": added("\n# changed\n"),
    "a body": body,
    "a function": added("\n\ndef changed(rows):\n    print(rows)\n    return rows\n"),
    "a call": added("\nprint(len('changed'))\n"),
    "a call of a function": added("\n\ndef changed(rows):\n    from app import ask\n    return ask(rows)\n"),
    "an import": added("\nimport decimal\n"),
    "a class": added("\n\nclass Changed:\n    def turned(self, rows):\n        return list(rows)\n"),
    "a constant": added("\nCHANGED = 1\n"),
    "another constant": constant,
    "a call of a model": added(MODEL_CALL),
    "a function less": without_last,
}
"""How one file is edited. Each edit is taken back, and the project scanned, before the next."""
APP = f"{MODEL_CALL}\n\ndef ask(text):\n    return client.responses.create(input=text)\n"
CHANGED_FILES = 5
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


def after_edit(folder: Path, path: Path, edit: Edit) -> float:
    """Seconds of a scan after one file was edited."""
    before = path.read_text(encoding="utf-8")
    path.write_text(edit(before), encoding="utf-8")
    seconds, _ = timed(folder)
    path.write_text(before, encoding="utf-8")
    timed(folder)
    return seconds


def after_rename(folder: Path, path: Path) -> float:
    """Seconds of a scan after one file has another name."""
    other = path.with_name(f"renamed_{path.name}")
    path.rename(other)
    seconds, _ = timed(folder)
    other.rename(path)
    timed(folder)
    return seconds


def run(sources: list[Path], lines: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        count = copy_up_to(folder, sources, lines)
        (folder / "app.py").write_text(APP, encoding="utf-8")
        cold, memory = timed(folder)
        warm, _ = timed(folder)
        fit = [path for path in sorted(folder.rglob("*.py")) if path.stat().st_size > 2000 and path.name[0] != "_"]
        some = fit[:: len(fit) // CHANGED_FILES + 1]
        after = {what: [after_edit(folder, path, edit) for path in some] for what, edit in EDITS.items()}
        after["a renamed file"] = [after_rename(folder, path) for path in some]
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
