"""What takes the place of characters that the terminal's encoding does not have.

Signs of ours, and the ellipsis that rich cuts cells with, become an ASCII sign, mostly of the same width, so that
tables stay straight. Any other character, such as one of a recorded name, is written as an escape.
"""

from __future__ import annotations

import codecs
import io
from typing import Final, TextIO

ERRORS: Final = "llmcost.plain_ascii"
"""The name of the error handler."""
_SIGNS: Final = {
    "…": "~",
    "·": "-",
    "•": "*",
    "→": "->",
    "\N{EN DASH}": "-",
    "—": "-",
    "±": "+-",
    "€": "EUR ",
    **dict.fromkeys("█▉▊▋▌▍▎▏▒░━", "#"),
    **dict.fromkeys("─╌╴╶═╸╺", "-"),
    **dict.fromkeys("│┃╎║", "|"),
    **dict.fromkeys("┌┐└┘├┤┬┴┼╭╮╯╰╞╪╡", "+"),
}


def replaced(error: UnicodeError) -> tuple[str | bytes, int]:
    """The error handler: one sign, or the escape of one character."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    sign = _SIGNS.get(error.object[error.start])
    if sign is not None:
        return sign, error.start + 1
    one = UnicodeEncodeError(error.encoding, error.object, error.start, error.start + 1, error.reason)
    return codecs.backslashreplace_errors(one)


codecs.register_error(ERRORS, replaced)


def use(stream: TextIO) -> None:
    """Have a stream write this way."""
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors=ERRORS)
