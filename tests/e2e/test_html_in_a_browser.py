"""The HTML report as a real browser sees it: light and dark, wide and narrow, with names that attack it."""

import http.server
import json
import re
import shutil
import struct
import subprocess
import tempfile
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC
from pathlib import Path

import pytest
from factories import START_NS, a_call, many_calls
from stores import filled

from llmcost.calls import Cost
from llmcost.report import html
from llmcost.report.build import Question, build
from llmcost.store.database import reading
from llmcost.store.filters import Filter
from llmcost.store.query import Spend
from llmcost.store.record import Mark

pytestmark = pytest.mark.e2e

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--enable-logging=stderr",
)  # fmt: skip
ATTACKS = (
    "<script>document.title='owned'</script>",
    '"><img src=http://127.0.0.1:1/x onerror="document.title=\'owned\'">',
    "</style><style>body{display:none}</style>",
    "<svg/onload=document.title='owned'>",
    "\u202egnp.exe",
)

if CHROMIUM is None:
    pytest.skip("no Chromium is installed (Debian: apt-get install chromium)", allow_module_level=True)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("page")
    calls = list(many_calls(900, days=30, users=20))
    calls += [a_call(5000 + n, label=name, request_model=name, cost=0.05) for n, name in enumerate(ATTACKS)]
    calls.append(a_call(6000, label="untracked", cost=Cost("estimated", 0.1, 0.05, 0.05, 0.0)))
    folder = filled(root / "store", calls, [Mark("unseen", "api.openai.com", 3, START_NS)])
    with reading(folder) as connection:
        report = build(Spend(connection, Filter(), UTC), Question("label", "UTC", charts=True, mapped=False))
    path = root / "report.html"
    path.write_text(html.render(report), encoding="utf-8")
    return path


def browse(url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    with tempfile.TemporaryDirectory() as profile:
        command = [str(CHROMIUM), *FLAGS, f"--user-data-dir={profile}", *arguments, url]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)


def test_it_loads_without_a_message_on_the_console(page: Path) -> None:
    done = browse(page.as_uri(), "--dump-dom")
    assert "CONSOLE" not in done.stderr
    assert "<title>llmcost: $" in done.stdout
    assert "owned" not in re.sub(r"<bdi>.*?</bdi>|title=\"[^\"]*\"|data-value=\"[^\"]*\"", "", done.stdout)
    assert done.stdout.count("<tbody") == 2


@contextmanager
def served(page: Path) -> Iterator[tuple[str, list[str]]]:
    """The page on loopback, and every path that is asked for."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(page.read_bytes())

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/report.html", asked
        server.shutdown()


def test_it_asks_the_network_for_nothing_but_itself(page: Path, tmp_path: Path) -> None:
    log = tmp_path / "net.json"
    with served(page) as (url, asked):
        browse(url, "--dump-dom", f"--log-net-log={log}")
    assert asked == ["/report.html"]
    wanted = set(re.findall(r'"url":"((?:https?|wss?)://[^"]+)"', log.read_text("utf-8")))
    assert {one for one in wanted if "127.0.0.1:1/" in one} == set()
    assert url in wanted


def sorting_page(page: Path) -> str:
    """The page with a driver that clicks two heads and notes what comes. Its own policy would forbid the driver."""
    text = page.read_text("utf-8")
    driver = """<script>
      const firsts = () => document.querySelector("tbody").rows[0].cells[0].dataset.value;
      const buttons = document.querySelectorAll("thead button");
      const seen = [firsts()];
      for (const n of [0, 0, 1, 1]) { buttons[n].click(); seen.push(firsts()); }
      document.body.dataset.seen = JSON.stringify(seen);
    </script></body>"""
    return re.sub(r"<meta http-equiv=[^>]*>", "", text).replace("</body>", driver)


def test_the_table_is_sorted_by_a_click_on_its_head(page: Path, tmp_path: Path) -> None:
    path = tmp_path / "sorting.html"
    path.write_text(sorting_page(page), encoding="utf-8")
    dom = browse(path.as_uri(), "--dump-dom").stdout
    seen = json.loads(re.search(r'data-seen="(.*?)"', dom).group(1).replace("&quot;", '"'))  # type: ignore[union-attr]
    names = sorted(re.findall(r'<tr><th scope="row" data-value="([^"]*)"', page.read_text("utf-8")))
    assert seen[0] == seen[3] == "summarization"
    assert seen[1] != seen[2]
    assert seen[4] in names
    assert seen[4] != "summarization"


def pixels(path: Path) -> tuple[int, int, list[bytes]]:
    """Width, height and the rows of a PNG of 8-bit RGB or RGBA, unfiltered."""
    data = path.read_bytes()
    width, height, _, kind = struct.unpack(">IIBB", data[16:26])
    size = {2: 3, 6: 4}[kind]
    packed, at = b"", 8
    while at < len(data):
        length, name = struct.unpack(">I4s", data[at : at + 8])
        packed += data[at + 8 : at + 8 + length] if name == b"IDAT" else b""
        at += 12 + length
    raw, rows, above = zlib.decompress(packed), [], bytes(width * size)
    for number in range(height):
        start = number * (width * size + 1)
        above = unfiltered(raw[start], bytearray(raw[start + 1 : start + 1 + width * size]), above, size)
        rows.append(above)
    return width, height, rows


def unfiltered(kind: int, row: bytearray, above: bytes, size: int) -> bytes:
    """One row with its PNG filter undone (PNG specification, section 9)."""
    for place in range(len(row)):
        left = row[place - size] if place >= size else 0
        corner = above[place - size] if place >= size else 0
        up = above[place]
        guess = left + up - corner
        nearest = min((left, up, corner), key=lambda value: abs(guess - value))
        row[place] = (row[place] + (0, left, up, (left + up) // 2, nearest)[kind]) & 255
    return bytes(row)


@pytest.mark.parametrize(
    ("name", "size", "flags", "dark"),
    [
        ("light", "900,760", (), False),
        ("dark", "900,760", ("--blink-settings=preferredColorScheme=0",), True),
        ("narrow", "500,900", (), False),
    ],
)
def test_it_looks_like_a_page(
    page: Path, tmp_path: Path, name: str, size: str, flags: tuple[str, ...], dark: bool
) -> None:
    shot = tmp_path / f"{name}.png"
    browse(page.as_uri(), f"--window-size={size}", f"--screenshot={shot}", *flags)
    width, height, rows = pixels(shot)
    assert f"{width},{height}" == size
    corner = rows[2][:3]
    assert (max(corner) < 64) if dark else (min(corner) > 224)
    step = len(rows[0]) // width
    colours = {row[place : place + 3] for row in rows[::4] for place in range(0, len(row), step * 4)}
    bar = bytes((0x6F, 0xB1, 0xD0)) if dark else bytes((0x2F, 0x6F, 0x8F))
    good = bytes((0x63, 0xB9, 0x95)) if dark else bytes((0x2E, 0x7D, 0x5B))
    assert {bar, good} <= colours
