"""How clients are reached, one small program a way; ``tests/fixtures/analyzer`` holds the programs."""

from pathlib import Path

import pytest
from analyzer_projects import found

PROGRAMS = Path(__file__).resolve().parents[2] / "fixtures" / "analyzer"


def programs(group: str) -> list[Path]:
    return sorted((PROGRAMS / group).glob("*.py"))


@pytest.mark.parametrize("program", programs("direct"), ids=lambda path: path.stem)
def test_a_direct_call_is_found(tmp_path: Path, program: Path) -> None:
    assert found(tmp_path, {"app.py": program.read_text(encoding="utf-8")})["f"].call_sites


@pytest.mark.parametrize("program", programs("on_self"), ids=lambda path: path.stem)
def test_a_client_on_self_is_followed(tmp_path: Path, program: Path) -> None:
    assert found(tmp_path, {"app.py": program.read_text(encoding="utf-8")})["A.f"].call_sites


@pytest.mark.parametrize("program", programs("none"), ids=lambda path: path.stem)
def test_what_is_no_call_is_left_out(tmp_path: Path, program: Path) -> None:
    assert found(tmp_path, {"app.py": program.read_text(encoding="utf-8")}) == {}
