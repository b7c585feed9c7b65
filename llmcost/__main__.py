"""``python -m llmcost``: the command line."""

import sys

from llmcost.cli import main

sys.exit(main())
