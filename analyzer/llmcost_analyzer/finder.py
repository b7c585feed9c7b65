"""Reads one file into facts: parse once, one pass.

The standard library's parser is used, not LibCST: facts need no whitespace, and it is some thirty times faster
(docs/decisions/0010-analyzer-parser.md). Syntax newer than the running Python is rewritten by :mod:`.downlevel` first.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterable
from typing import Final

from llmcost_analyzer.deep import deep_recursion
from llmcost_analyzer.facts import Expr, FileFacts, Param, Scope, ScopeKind, first_part, imported_modules, value_names
from llmcost_analyzer.reading import ExpressionReader

_FRAMES: Final = 6000
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def parse(source: str) -> ast.Module:
    """Parse a file's text.

    Raises:
        SyntaxError, ValueError, RecursionError, MemoryError: as the parser does, where no rewriting helps.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(source)
        except SyntaxError:
            from llmcost_analyzer.downlevel import downlevel  # LibCST takes a while to import, and is seldom needed

            older = downlevel(source)
            if older is None:
                raise
            return ast.parse(older)


def read_facts(path: str, source: str, module: str, *, is_package: bool) -> FileFacts:
    """The facts of one file.

    Args:
        path: as it stands in the map.
        source: its text.
        module: dotted name, for relative imports.
        is_package: whether the file is an ``__init__.py``.
    """
    tree = parse(source)
    with deep_recursion(_FRAMES):
        reader = _Reader(path, module, is_package=is_package)
        reader.read(tree, source.count("\n") + 1)
    return reader.facts


class _Reader(ExpressionReader):
    def __init__(self, path: str, module: str, *, is_package: bool) -> None:
        super().__init__()
        self.facts = FileFacts(path, [])
        self._package = module.split(".") if is_package else module.split(".")[:-1]

    # --- scopes -------------------------------------------------------------------------------------------------

    def read(self, tree: ast.Module, lines: int) -> None:
        self.facts.lines = lines
        scope = self._open("module", "<module>", None, 1, 1, lines)
        scope.docstring = ast.get_docstring(tree, clean=False) or ""
        self._body(tree.body, scope)
        self.facts.roots.update(map(first_part, self.facts.stars))
        for scope in self.facts.scopes:
            scope.values = value_names(scope)
            self.facts.roots.update(map(first_part, imported_modules(scope)))

    def _open(self, kind: ScopeKind, name: str, parent: Scope | None, line: int, first: int, end: int) -> Scope:
        prefix = "" if parent is None or parent.kind == "module" else f"{parent.qualname}."
        if parent is not None and name in parent.outer_names:
            prefix = ""
        index = len(self.facts.scopes)
        scope = Scope(index, -1 if parent is None else parent.index, kind, name, prefix + name, line, first, end)
        self.facts.scopes.append(scope)
        return scope

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef, outer: Scope) -> None:
        first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
        scope = self._open("function", node.name, outer, node.lineno, first, node.end_lineno or node.lineno)
        scope.docstring = ast.get_docstring(node, clean=False) or ""
        scope.decorators = [self.expr(d, outer) for d in node.decorator_list]
        scope.returns_type = self._annotation(node.returns, outer)
        self._params(node.args, scope, outer)
        outer.binds.setdefault(node.name, []).append(("def", scope.index))
        body = node.body[1:] if scope.docstring else node.body
        self._body(body, scope)

    def _class(self, node: ast.ClassDef, outer: Scope) -> None:
        first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
        scope = self._open("class", node.name, outer, node.lineno, first, node.end_lineno or node.lineno)
        scope.docstring = ast.get_docstring(node, clean=False) or ""
        scope.decorators = [self.expr(d, outer) for d in node.decorator_list]
        scope.bases = [self.expr(b, outer) for b in node.bases]
        for keyword in node.keywords:
            self.expr(keyword.value, outer)
        outer.binds.setdefault(node.name, []).append(("class", scope.index))
        self._body(node.body[1:] if scope.docstring else node.body, scope)

    def lambda_scope(self, node: ast.Lambda, outer: Scope) -> Expr:
        scope = self._open("lambda", "<lambda>", outer, node.lineno, node.lineno, node.end_lineno or node.lineno)
        self._params(node.args, scope, outer)
        scope.returns.append(self.expr(node.body, scope))
        return ("lambda", scope.index)

    def _params(self, args: ast.arguments, scope: Scope, outer: Scope) -> None:
        plain = [*args.posonlyargs, *args.args]
        defaults: list[ast.expr | None] = [None] * (len(plain) - len(args.defaults))
        for arg, default in zip(plain, [*defaults, *args.defaults], strict=True):
            scope.params.append(self._param(arg, default, outer))
        if args.vararg is not None:
            scope.params.append(Param(args.vararg.arg, self._annotation(args.vararg.annotation, outer), None, 1))
        for arg, default in zip(args.kwonlyargs, args.kw_defaults, strict=True):
            param = self._param(arg, default, outer)
            param.keyword_only = True
            scope.params.append(param)
        if args.kwarg is not None:
            scope.params.append(Param(args.kwarg.arg, self._annotation(args.kwarg.annotation, outer), None, 2))

    def _param(self, arg: ast.arg, default: ast.expr | None, outer: Scope) -> Param:
        return Param(arg.arg, self._annotation(arg.annotation, outer), self.expr(default, outer))

    def _annotation(self, node: ast.expr | None, scope: Scope) -> Expr | None:
        """An annotation; one in quotes is read like one without."""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            try:
                node = ast.parse(node.value.strip(), mode="eval").body
            except (SyntaxError, ValueError):
                return None
        return self.expr(node, scope)

    # --- statements ---------------------------------------------------------------------------------------------

    def _body(self, statements: Iterable[ast.stmt], scope: Scope) -> None:
        for statement in statements:
            self._statement(statement, scope)

    def _statement(self, node: ast.stmt, scope: Scope) -> None:
        if isinstance(node, _FUNCTIONS):
            self._function(node, scope)
        elif isinstance(node, ast.ClassDef):
            self._class(node, scope)
        elif isinstance(node, ast.Assign):
            value = self.expr(node.value, scope)
            for target in node.targets:
                self.assign(target, value, scope)
        elif isinstance(node, ast.AnnAssign):
            self._annotated(node, scope)
        elif isinstance(node, ast.AugAssign):
            self._augmented(node, scope)
        elif isinstance(node, ast.Return):
            if node.value is not None:
                scope.returns.append(self.expr(node.value, scope))
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            self._import(node, scope)
        elif isinstance(node, (ast.Global, ast.Nonlocal)):
            scope.outer_names.update(node.names)
        else:
            self._compound(node, scope)

    def _compound(self, node: ast.stmt, scope: Scope) -> None:
        if isinstance(node, (ast.For, ast.AsyncFor)):
            self.assign(node.target, ("each", self.expr(node.iter, scope)), scope)
        elif isinstance(node, (ast.With, ast.AsyncWith)):
            for item in node.items:
                value = self.expr(item.context_expr, scope)
                if item.optional_vars is not None:
                    self.assign(item.optional_vars, ("enter", value), scope)
        self.quiet += isinstance(node, ast.Raise)
        for name, child in ast.iter_fields(node):
            if name in ("items", "target", "iter") and isinstance(
                node, (ast.For, ast.AsyncFor, ast.With, ast.AsyncWith)
            ):
                continue
            for part in child if isinstance(child, list) else (child,):
                self._part(part, scope)
        self.quiet -= isinstance(node, ast.Raise)

    def _part(self, part: object, scope: Scope) -> None:
        if isinstance(part, ast.stmt):
            self._statement(part, scope)
        elif isinstance(part, ast.expr):
            self.expr(part, scope)
        elif isinstance(part, ast.ExceptHandler):
            self.expr(part.type, scope)
            self._body(part.body, scope)
        elif isinstance(part, ast.match_case):
            if part.guard is not None:
                self.expr(part.guard, scope)
            self._body(part.body, scope)

    def _annotated(self, node: ast.AnnAssign, scope: Scope) -> None:
        declared: Expr = ("typed", self._annotation(node.annotation, scope))
        options = [declared] if node.value is None else [declared, self.expr(node.value, scope)]
        for value in options:
            self.assign(node.target, value, scope)

    def _augmented(self, node: ast.AugAssign, scope: Scope) -> None:
        value = self.expr(node.value, scope)
        if isinstance(node.op, ast.BitOr) and isinstance(node.target, ast.Name):
            self.assign(node.target, ("pipe", ("name", node.target.id), value), scope)
        else:
            self.assign(node.target, value, scope)

    def assign(self, target: ast.expr, value: Expr | None, scope: Scope) -> None:
        if isinstance(target, ast.Name):
            self._bind(target.id, value, scope)
        elif isinstance(target, ast.Attribute):
            base = self.expr(target.value, scope)
            if base is not None:
                scope.sets.append((base, target.attr, value))
        elif isinstance(target, ast.Subscript):
            key = self.expr(target.slice, scope)
            self.store(self.expr(target.value, scope), ("dict", (key,), (value,)), scope)
        elif isinstance(target, (ast.Tuple, ast.List)):
            for at, element in enumerate(target.elts):
                self.assign(element, ("nth", value, at), scope)
        elif isinstance(target, ast.Starred):
            self.assign(target.value, value, scope)

    def _bind(self, name: str, value: Expr | None, scope: Scope) -> None:
        if name not in scope.outer_names:
            scope.binds.setdefault(name, []).append(value)
            return
        owner = self.facts.scopes[scope.parent]
        while owner.kind != "module" and name not in owner.binds:
            owner = self.facts.scopes[owner.parent]
        owner.binds.setdefault(name, []).append(("in", scope.index, value))

    def store(self, base: Expr | None, content: Expr, scope: Scope) -> None:
        """What is put into a container counts as another value of the name or attribute that holds it."""
        if base is None:
            return
        if base[0] == "name":
            scope.puts.append((base[1], content))
        elif base[0] == "attr" and base[1] is not None:
            scope.sets.append((base[1], base[2], content))

    def _import(self, node: ast.Import | ast.ImportFrom, scope: Scope) -> None:
        if isinstance(node, ast.Import):
            for alias in node.names:
                name = alias.asname or alias.name.split(".")[0]
                scope.binds.setdefault(name, []).append(("module", alias.name if alias.asname else name))
            return
        module = node.module or ""
        if node.level:
            keep = len(self._package) - node.level + 1
            module = ".".join([*self._package[: max(keep, 0)], *([module] if module else [])])
            module = "." + module
        for alias in node.names:
            if alias.name == "*":
                self.facts.stars.append(module)
            else:
                scope.binds.setdefault(alias.asname or alias.name, []).append(("member", module, alias.name))
