"""The table of HTTP clients that are hooked, and the hooking itself.

One row says which module holds the client, which functions send a request, and which adapter knows its objects.
A hook is put in place when its module is imported, also where that happens later than llmcost.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, Final

import wrapt

from llmcost.exchange.clients import httpx_family
from llmcost.exchange.guard import guard
from llmcost.lean import dataclass

Send = Callable[..., Any]
Wrap = Callable[[ModuleType, Send], Send]


@dataclass(frozen=True, slots=True)
class ClientRow:
    """One hooked HTTP client: its module and, by dotted name, what makes a wrapper of each sending function."""

    module: str
    wraps: Mapping[str, Wrap]


TABLE: Final = (
    ClientRow("httpx", httpx_family.WRAPS),
    ClientRow("httpx2", httpx_family.WRAPS),
)


class Hook:
    """One wrapped function. It can be taken out whole, in any order with other patchers.

    Where somebody patched over us, our wrapper cannot be cut out of the chain; it then only passes the call on.
    """

    def __init__(self, module: ModuleType, dotted: str, wrap: Wrap) -> None:
        owner_name, _, self.attribute = dotted.rpartition(".")
        self.owner: Any = getattr(module, owner_name) if owner_name else module
        self._wrap = wrap
        self._module = module
        self.wrapper: Send | None = None
        self.original: Send | None = None

    def install(self) -> None:
        """Put the wrapper in place, unless it still stands in the chain."""
        current = self.owner.__dict__[self.attribute]
        if self.wrapper is not None and _in_chain(current, self.wrapper):
            self.wrapper.active = True  # type: ignore[attr-defined]
            return
        self.original = current
        self.wrapper = self._wrap(self._module, current)
        self.wrapper.active = True  # type: ignore[attr-defined]
        setattr(self.owner, self.attribute, self.wrapper)

    def remove(self) -> None:
        """Restore the original where the wrapper is outermost, and make the wrapper pass calls on in any case."""
        if self.wrapper is None:
            return
        self.wrapper.active = False  # type: ignore[attr-defined]
        if self.owner.__dict__.get(self.attribute) is self.wrapper:
            setattr(self.owner, self.attribute, self.original)
            self.wrapper = None


def _in_chain(function: Any, wanted: Send) -> bool:
    for _ in range(50):
        if function is wanted:
            return True
        function = getattr(function, "__wrapped__", None)
        if function is None:
            return False
    return False


class Hooks:
    """All hooks of the table: installed now or when their module is imported, removed together."""

    def __init__(self) -> None:
        self._hooks: dict[tuple[str, str], Hook] = {}
        self._active = False
        self._registered: set[str] = set()

    def install(self) -> None:
        """Hook what is imported, and wait for the import of the rest."""
        self._active = True
        for row in TABLE:
            if row.module in sys.modules:
                self._install_row(row, sys.modules[row.module])
            elif row.module not in self._registered:
                self._registered.add(row.module)
                wrapt.register_post_import_hook(functools.partial(self._imported, row), row.module)

    def remove(self) -> None:
        """Take every hook out."""
        self._active = False
        for hook in self._hooks.values():
            hook.remove()

    def installed(self) -> tuple[str, ...]:
        """Names of the functions that are hooked now, such as ``httpx.Client.send``."""
        return tuple(f"{module}.{dotted}" for (module, dotted), hook in self._hooks.items() if hook.wrapper is not None)

    def _imported(self, row: ClientRow, module: ModuleType) -> None:
        if self._active:
            self._install_row(row, module)

    def _install_row(self, row: ClientRow, module: ModuleType) -> None:
        for dotted, wrap in row.wraps.items():
            with guard(f"hook.{row.module}"):
                key = (row.module, dotted)
                if key not in self._hooks:
                    self._hooks[key] = Hook(module, dotted, wrap)
                self._hooks[key].install()


hooks: Final = Hooks()
