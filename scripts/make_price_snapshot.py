"""Make the price snapshot that ships in the wheel, from the price map of one named LiteLLM release.

    python scripts/make_price_snapshot.py --map PATH/model_prices_and_context_window_backup.json \
        --version 1.106.2 --date 2026-10-21

The map is ``litellm/model_prices_and_context_window_backup.json`` of the release's wheel; the date is the one that the
wheel's archive gives for this file. The same input always gives the same bytes.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Final

from llmcost.pricing.pricemap import MapMeta, PriceMap, only_needed, pack

DATA: Final = Path(__file__).resolve().parent.parent / "llmcost" / "pricing" / "data"

NOTICE: Final = """\
The file prices.json.gz in this folder is derived from LiteLLM's price map
(litellm/model_prices_and_context_window_backup.json, https://github.com/BerriAI/litellm),
release {version}, of {date}: {count} models, only the fields that pricing needs.
It is used under the MIT licence:

MIT License

Copyright (c) 2023 Berri AI

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.
"""


def main() -> None:
    """Read the map, keep what pricing needs, write the snapshot and its notice."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--map", type=Path, required=True, help="the price map of the LiteLLM release")
    parser.add_argument("--version", required=True, help="the LiteLLM release")
    parser.add_argument("--date", required=True, help="its date, YYYY-MM-DD")
    parser.add_argument("--out", type=Path, default=DATA)
    args = parser.parse_args()
    models = only_needed(json.loads(args.map.read_text(encoding="utf-8")))
    packed = pack(PriceMap(models, MapMeta("litellm", args.version, args.date)))
    (args.out / "prices.json.gz").write_bytes(packed)
    notice = NOTICE.format(version=args.version, date=args.date, count=len(models))
    (args.out / "NOTICE").write_text(notice, encoding="utf-8")
    print(f"{len(models)} models, {len(packed):,} bytes")


if __name__ == "__main__":
    main()
