"""``python -m provider_server``: serves until it is ended; the first line printed is its port."""

from __future__ import annotations

import argparse

from provider_server.server import make_server

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="provider_server", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    server = make_server(parser.parse_args().port)
    print(server.server_port, flush=True)
    server.serve_forever()
