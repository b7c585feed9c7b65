"""An application that was not written here: its calls carry the labels that a scan of its source gave.

Nothing of an application is kept here and nothing is fetched: the source and a program that uses it are given.

PUBLIC_APP=FOLDER          a folder with the application's packages, such as an unpacked source distribution
PUBLIC_APP_PROGRAM=FILE    a program that imports it and makes it call OpenAI or Anthropic
PUBLIC_APP_PYTHON=PYTHON   an interpreter with the application's dependencies; this one by default
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from e2e.otlp_receiver import receiving
from e2e.programs import run

pytestmark = pytest.mark.e2e

REPOSITORY = Path(__file__).resolve().parents[2]
SPENDING = {"chat", "text_completion", "embeddings", "generate_content"}
CLI = ("-c", "import sys; from llmcost.cli import main; sys.exit(main())")


@dataclass(frozen=True)
class Seen:
    """The scan's entries by file and function, and the spans of the run."""

    entries: dict[tuple[str, str], dict[str, Any]]
    spans: list[dict[str, Any]]

    def entry(self, span: dict[str, Any]) -> dict[str, Any]:
        """The scanner's entry of the function that a span names."""
        return self.entries[span["code.file.path"], span["code.function.name"]]

    def labels(self, span: dict[str, Any]) -> set[str]:
        """What the map may call a span: a wrapper takes the label of a function that reaches it."""
        entry = self.entry(span)
        if entry["kind"] != "wrapper":
            return {entry["label"]}
        reaching = {(span["code.file.path"], span["code.function.name"])}
        while True:
            more = {key for key, entry in self.entries.items() if reaching & set(called_by(entry))} - reaching
            if not more:
                return {self.entries[key]["label"] for key in reaching if self.entries[key]["kind"] != "wrapper"}
            reaching |= more


def called_by(entry: dict[str, Any]) -> list[tuple[str, str]]:
    """The project's own functions through which an entry reaches a model."""
    return [(callee["file"], callee["function"]) for callee in entry["callees"]]


@contextmanager
def any_model_answers() -> Iterator[int]:
    """The server of the examples; a model without recorded answers gets those of another."""
    sys.path.insert(0, str(REPOSITORY / "examples"))
    try:
        from provider_server.server import Handler, Turns, make_server
    finally:
        sys.path.pop(0)

    class AnyModel(Turns):
        def next(self, folder: Path, suffix: str) -> Path | None:
            known = [other for other in sorted(folder.parent.glob("*")) if any(other.glob(f"*{suffix}"))]
            return super().next(folder if folder in known or not known else known[0], suffix)

    with make_server() as server:
        server.RequestHandlerClass = type("AnyModelHandler", (Handler,), {"turns": AnyModel()})
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    given = [os.environ.get(name) for name in ("PUBLIC_APP", "PUBLIC_APP_PROGRAM")]
    if not all(given):
        pytest.skip("no application is given: set PUBLIC_APP and PUBLIC_APP_PROGRAM")
    source, program = (Path(str(path)).resolve() for path in given)
    folder = tmp_path_factory.mktemp("run") / "app"
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns(".llmcost", "__pycache__"))
    path = os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
    scanned = run([sys.executable, *CLI, "scan", "--quiet"], folder)
    assert scanned.returncode == 0, scanned.stderr
    python = os.environ.get("PUBLIC_APP_PYTHON", sys.executable)
    with any_model_answers() as port, receiving() as received:
        env = {
            "PYTHONPATH": path,
            "OPENAI_API_KEY": "recorded",
            "ANTHROPIC_API_KEY": "recorded",
            "OPENAI_BASE_URL": f"http://127.0.0.1:{port}/v1",
            "ANTHROPIC_BASE_URL": f"http://localhost:{port}",
            "LLMCOST_MAP": str(folder / ".llmcost" / "semantic_map.json"),
            "OTEL_EXPORTER_OTLP_ENDPOINT": received.url,
        }
        done = run([python, *CLI, "run", "--", python, program], folder, env=env, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
    document = json.loads((folder / ".llmcost" / "semantic_labels.json").read_text(encoding="utf-8"))
    entries = {(file, name): entry for file, functions in document.items() for name, entry in functions.items()}
    spans = [span for _, span in received.spans if span.get("gen_ai.operation.name") in SPENDING]
    return Seen(entries, spans)


def test_every_span_carries_the_label_of_the_map(seen: Seen) -> None:
    assert seen.spans
    untracked = [span for span in seen.spans if span["llm.semantic_label"] == "untracked"]
    assert not untracked
    for span in seen.spans:
        assert span["llm.semantic_label"] in seen.labels(span)


def test_the_place_of_a_span_is_one_that_the_scanner_found(seen: Seen) -> None:
    for span in seen.spans:
        entry, line = seen.entry(span), span["code.line.number"]
        found = {place["line"] for place in [*entry["call_sites"], *entry["callees"]]}
        assert line in found, (span["code.file.path"], span["code.function.name"], line, sorted(found))


def test_the_run_is_told(seen: Seen, capsys: pytest.CaptureFixture[str]) -> None:
    direct = {key for key, entry in seen.entries.items() if entry["call_sites"]}
    places = {(span["code.file.path"], span["code.line.number"]) for span in seen.spans}
    reached = {(span["code.file.path"], span["code.function.name"]) for span in seen.spans}
    with capsys.disabled():
        print(f"\n{len(seen.spans)} spans from {len(places)} places in {len(reached)} functions")
        print(f"{len(direct)} functions call directly; {len(direct & reached)} of them gave a span its label")
        for file, function in sorted(reached):
            print(f"  {file}:{function}  {seen.entries[file, function]['label']}")
    assert places
