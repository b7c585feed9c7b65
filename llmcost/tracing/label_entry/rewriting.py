"""Python 3.11: a block around the body of marked functions, put there when their module is compiled.

The function stays the function: same name, signature, lines, frames and identity. No wrapper stands in tracebacks.
"""

from __future__ import annotations

import ast
import importlib.util
import sys
from asyncio import Runner
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import CodeType, TracebackType
from typing import Any, Final
from weakref import WeakKeyDictionary

import wrapt
from opentelemetry.context import Context, attach, get_current, set_value

from llmcost.exchange.guard import guard
from llmcost.sections.scope import KEY, current, take_back
from llmcost.tracing.label_entry.marks import Marks, functions_of
from llmcost.tracing.label_entry.running import Running

_MARK: Final = "llmcost label entry: "
_BEFORE_RUN: Final = "_lazy_init"
"""What ``asyncio.Runner.run`` calls first. A wrapper of ``run`` itself would stand in every traceback. This module is
for 3.11 alone, whose ``asyncio`` changes no more."""
_GENERATOR_PARTS: Final = (ast.Yield, ast.YieldFrom)
_SCOPES: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)

Labels = Callable[[str], "tuple[str | None] | None"]
"""From a qualified name to the label of a marked function (None for a wrapper), or None where it is not marked."""


class Entry:
    """The block: one object a function, a constant of its code."""

    __slots__ = ("_label", "_rewriting")

    def __init__(self, rewriting: Rewriting, label: str | None) -> None:
        self._rewriting = rewriting
        self._label = label

    def __enter__(self) -> None:
        if self._rewriting.active:
            self._rewriting.running.begin(sys._getframe(1), self._label)

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._rewriting.running.end(sys._getframe(1))


class _Transformer(ast.NodeTransformer):
    """Puts ``with <mark>:`` around the bodies of marked functions. The mark is replaced in the compiled code."""

    def __init__(self, labels: Labels) -> None:
        self._labels = labels
        self._path: list[str] = []
        self.found: dict[str, str | None] = {}

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        return self._inside(node, node.name)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return self._function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self._function(node)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        qualname = ".".join((*self._path, node.name))
        self._inside(node, node.name, "<locals>")
        label = None if _is_generator(node) else self._labels(qualname)
        if label is not None:
            self.found[_MARK + qualname] = label[0]
            _wrap_body(node, _MARK + qualname)
        return node

    def _inside(self, node: ast.AST, *names: str) -> ast.AST:
        self._path.extend(names)
        self.generic_visit(node)
        del self._path[-len(names) :]
        return node


def _is_generator(node: ast.AST) -> bool:
    """Whether a function yields by itself, not in a function inside it."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, _GENERATOR_PARTS) or (not isinstance(child, _SCOPES) and _is_generator(child)):
            return True
    return False


def _wrap_body(node: ast.FunctionDef | ast.AsyncFunctionDef, mark: str) -> None:
    start = 1 if ast.get_docstring(node, clean=False) is not None else 0
    inner = node.body[start:]
    if inner:
        block = ast.With(items=[ast.withitem(context_expr=ast.Constant(mark))], body=inner)
        ast.copy_location(block, inner[0])
        ast.fix_missing_locations(block)
        node.body[start:] = [block]


class Rewriting:
    """Enters marked functions by a block in their code."""

    def __init__(self, running: Running, marks: Marks) -> None:
        self.running = running
        self.active = False
        self._marks = marks
        self._plain: dict[int, tuple[CodeType, CodeType]] = {}
        self._labelled: WeakKeyDictionary[Runner, tuple[Context, Context]] = WeakKeyDictionary()
        self._original: Any = None
        self._main_size = -1
        self._wrapper = wrapt.FunctionWrapper(
            Runner.__dict__[_BEFORE_RUN], self._before_run, enabled=lambda: self.active
        )

    def install(self) -> bool:
        """Begin to enter. The entry script cannot be rewritten before it runs: that is done when it starts a loop."""
        self.active = True
        if self._original is None:
            self._original = Runner.__dict__[_BEFORE_RUN]
            setattr(Runner, _BEFORE_RUN, self._wrapper)
        return True

    def uninstall(self, functions: Iterable[Any]) -> None:
        """Give the functions their own code back; those that run now only pass through the block."""
        self.active = False
        for function in functions:
            pair = self._plain.get(id(function.__code__))
            if pair is not None:
                function.__code__ = pair[1]
        if Runner.__dict__[_BEFORE_RUN] is self._wrapper:
            setattr(Runner, _BEFORE_RUN, self._original)
            self._original = None

    def imported(self, loader: Any, code: CodeType, module: str) -> CodeType:
        """The code that a module runs instead of its own."""
        return self._rewrite(loader.get_source(module), code, module)

    def existing(self, functions: Iterable[Any]) -> None:
        """Exchange the code of functions that exist already, where their source is still the same."""
        known: dict[str, list[tuple[CodeType, CodeType]]] = {}
        for function in functions:
            name = function.__code__.co_filename
            if name not in known:
                known[name] = self._pairs_of_file(name, function.__module__)
            for plain, entered in known[name]:
                code = function.__code__
                if plain == code and plain.co_qualname == code.co_qualname:
                    self._plain[id(entered)] = (entered, code)
                    function.__code__ = entered
                    break

    def await_main(self) -> None:
        """Nothing to do before the entry script starts a loop."""

    def _before_run(self, wrapped: Callable[..., Any], runner: Runner, args: Any, kwargs: Any) -> Any:
        """Enter the functions of the entry script, and the coroutine that is about to run, which began as it was."""
        result = wrapped(*args, **kwargs)
        with guard("label_entry.run"):
            caller = sys._getframe(1)
            if caller.f_code is Runner.run.__code__:
                self._exchange_main()
                self._label_main(runner, getattr(caller.f_locals.get("coro"), "cr_code", None))
        return result

    def _exchange_main(self) -> None:
        size = len(vars(sys.modules["__main__"]))
        if size != self._main_size:  # names were added since the last loop
            self._main_size = size
            self.existing(functions_of(self._marks, "__main__"))

    def _label_main(self, runner: Runner, code: CodeType | None) -> None:
        context = vars(runner)["_context"]
        if runner in self._labelled:
            context.run(take_back, *self._labelled.pop(runner))
        label = None if code is None or id(code) in self._plain else self._marks.label_of(code, "__main__")
        if label is not None and label[0] is not None:
            before = context.run(get_current)
            mine = set_value(KEY, context.run(current).with_label(label[0]), before)
            context.run(attach, mine)
            self._labelled[runner] = (before, mine)

    def _pairs_of_file(self, filename: str, module: str) -> list[tuple[CodeType, CodeType]]:
        try:
            source = importlib.util.decode_source(Path(filename).read_bytes())
            plain = compile(source, filename, "exec", dont_inherit=True)
        except (OSError, ValueError, SyntaxError):
            return []
        return list(_pairs(plain, self._rewrite(source, plain, module)))

    def _rewrite(self, source: str | None, plain: CodeType, module: str) -> CodeType:
        file = self._marks.file_of(plain.co_filename, module)
        if source is None or file is None:
            return plain
        transformer = _Transformer(lambda qualname: self._marks.label(file, qualname))
        try:
            tree = transformer.visit(ast.parse(source, plain.co_filename))
            compiled = compile(tree, plain.co_filename, "exec", dont_inherit=True)
        except (ValueError, SyntaxError, RecursionError):  # such as one block too many for the compiler
            return plain
        entries = {mark: Entry(self, label) for mark, label in transformer.found.items()}
        entered = _with_entries(compiled, entries)
        for before, after in _pairs(plain, entered):
            self._plain[id(after)] = (after, before)
        return entered


def _with_entries(code: CodeType, entries: Mapping[str, Entry]) -> CodeType:
    """The code with its marks replaced by the blocks."""
    constants: list[object] = []
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            constants.append(_with_entries(constant, entries))
        else:
            constants.append(entries.get(constant, constant) if isinstance(constant, str) else constant)
    changed = any(new is not old for new, old in zip(constants, code.co_consts, strict=True))
    return code.replace(co_consts=tuple(constants)) if changed else code


def _pairs(plain: CodeType, entered: CodeType) -> Iterator[tuple[CodeType, CodeType]]:
    """Each code object of a module and the one that replaces it, where they differ."""
    inner = [[item for item in code.co_consts if isinstance(item, CodeType)] for code in (plain, entered)]
    for before, after in zip(*inner, strict=False):
        if before.co_qualname == after.co_qualname and before != after:
            yield before, after
            yield from _pairs(before, after)
