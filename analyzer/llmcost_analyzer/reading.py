"""Turns the expressions of one scope into tuples, noting the calls, reads and texts inside them."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any, Final

from llmcost_analyzer.facts import MAX_TEXT, Expr, Scope, callee_name

_DEPTH: Final = 60
"""Expressions nested deeper than this (generated tables, long sums) are not followed."""
_FILLERS: Final = frozenset({"append", "add", "appendleft", "insert", "put", "put_nowait", "extend"})
"""Methods that put their last argument into a container."""
_REPORTS: Final = frozenset(
    {
        "print",
        "debug",
        "info",
        "warning",
        "warn",
        "error",
        "exception",
        "critical",
        "log",
        "add_argument",
        "getLogger",
        "echo",
        "secho",
        "set_attribute",
        "getenv",
        "Option",
        "Argument",
        "compile",
    }
)
"""Calls whose texts are for people, not for models."""


class ExpressionReader:
    """Reads expressions; what binds names, and lambdas, is left to the statement reader."""

    def __init__(self) -> None:
        self._depth = 0
        self.quiet = 0
        self._handlers: dict[type[ast.AST], Callable[[Any, Scope], Expr | None]] = {
            ast.Name: self._name,
            ast.Attribute: self._attribute,
            ast.Constant: self._constant,
            ast.Call: self._call,
            ast.Subscript: self._subscript,
            ast.BinOp: self._binary,
            ast.JoinedStr: self._joined,
            ast.FormattedValue: self._formatted,
            ast.BoolOp: self._options,
            ast.IfExp: self._conditional,
            ast.List: self._list,
            ast.Tuple: self._list,
            ast.Set: self._list,
            ast.Dict: self._dict,
            ast.Await: self._inner,
            ast.YieldFrom: self._inner,
            ast.Yield: self._yield,
            ast.Starred: self._starred,
            ast.NamedExpr: self._walrus,
            ast.Lambda: self.lambda_scope,
            ast.ListComp: self._comprehension,
            ast.SetComp: self._comprehension,
            ast.GeneratorExp: self._comprehension,
            ast.DictComp: self._comprehension,
        }

    def assign(self, target: ast.expr, value: Expr | None, scope: Scope) -> None:
        """Note that a target gets a value."""
        raise NotImplementedError

    def store(self, base: Expr | None, content: Expr, scope: Scope) -> None:
        """Note that something is put into a container."""
        raise NotImplementedError

    def lambda_scope(self, node: ast.Lambda, outer: Scope) -> Expr:
        """Open a scope for a lambda."""
        raise NotImplementedError

    def expr(self, node: ast.AST | None, scope: Scope) -> Expr | None:
        """Turn an expression into a tuple, noting the calls, reads and texts inside it."""
        if node is None:
            return None
        self._depth += 1
        try:
            if self._depth > _DEPTH:
                return None
            handler = self._handlers.get(type(node))
            if handler is not None:
                return handler(node, scope)
            self._others(node, scope)
            return None
        finally:
            self._depth -= 1

    def _others(self, node: ast.AST, scope: Scope) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, (ast.expr, ast.keyword, ast.Slice)):
                self.expr(child, scope)

    def _name(self, node: ast.Name, _scope: Scope) -> Expr:
        return ("name", node.id)

    def _attribute(self, node: ast.Attribute, scope: Scope) -> Expr | None:
        base = self.expr(node.value, scope)
        scope.reads.add(node.attr)
        return ("attr", base, node.attr)

    def _constant(self, node: ast.Constant, scope: Scope) -> Expr | None:
        if isinstance(node.value, str):
            text = node.value[:MAX_TEXT]
            if not self.quiet:
                scope.texts.append(text)
            return ("text", text)
        if node.value is None or isinstance(node.value, (bool, int)):
            return ("const", node.value)
        return None

    def _call(self, node: ast.Call, scope: Scope) -> Expr:
        func = self.expr(node.func, scope)
        quiet = callee_name(func) in _REPORTS
        self.quiet += quiet
        args = tuple(self.expr(a, scope) for a in node.args)
        keywords = tuple((k.arg, self.expr(k.value, scope)) for k in node.keywords)
        self.quiet -= quiet
        call = ("call", func, args, keywords, _line(node))
        scope.calls.append(call)
        if func is not None and func[0] == "attr" and func[2] in _FILLERS and args:
            self.store(func[1], ("list", (args[-1],)), scope)
        return call

    def _subscript(self, node: ast.Subscript, scope: Scope) -> Expr:
        return ("item", self.expr(node.value, scope), self.expr(node.slice, scope))

    def _binary(self, node: ast.BinOp, scope: Scope) -> Expr | None:
        left, right = self.expr(node.left, scope), self.expr(node.right, scope)
        if isinstance(node.op, ast.BitOr):
            return ("pipe", left, right)
        if isinstance(node.op, (ast.Add, ast.Div)):
            return ("join", (left, right))
        return left if isinstance(node.op, ast.Mod) else None

    def _joined(self, node: ast.JoinedStr, scope: Scope) -> Expr:
        return ("join", tuple(self.expr(v, scope) for v in node.values))

    def _formatted(self, node: ast.FormattedValue, scope: Scope) -> Expr | None:
        return self.expr(node.value, scope)

    def _options(self, node: ast.BoolOp, scope: Scope) -> Expr:
        return ("any", tuple(self.expr(v, scope) for v in node.values))

    def _conditional(self, node: ast.IfExp, scope: Scope) -> Expr:
        self.expr(node.test, scope)
        return ("any", (self.expr(node.body, scope), self.expr(node.orelse, scope)))

    def _list(self, node: ast.List | ast.Tuple | ast.Set, scope: Scope) -> Expr:
        return ("list", tuple(self.expr(e, scope) for e in node.elts))

    def _dict(self, node: ast.Dict, scope: Scope) -> Expr:
        return ("dict", tuple(self.expr(k, scope) for k in node.keys), tuple(self.expr(v, scope) for v in node.values))

    def _inner(self, node: ast.Await | ast.YieldFrom, scope: Scope) -> Expr | None:
        return self.expr(node.value, scope)

    def _yield(self, node: ast.Yield, scope: Scope) -> None:
        if node.value is not None:
            scope.returns.append(("list", (self.expr(node.value, scope),)))

    def _starred(self, node: ast.Starred, scope: Scope) -> Expr:
        return ("star", self.expr(node.value, scope))

    def _walrus(self, node: ast.NamedExpr, scope: Scope) -> Expr | None:
        value = self.expr(node.value, scope)
        self.assign(node.target, value, scope)
        return value

    def _comprehension(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp, scope: Scope) -> Expr:
        for generator in node.generators:
            self.assign(generator.target, ("each", self.expr(generator.iter, scope)), scope)
            for test in generator.ifs:
                self.expr(test, scope)
        if isinstance(node, ast.DictComp):
            return ("dict", (self.expr(node.key, scope),), (self.expr(node.value, scope),))
        return ("list", (self.expr(node.elt, scope),))


def _line(node: ast.Call) -> int:
    """The line where the method's name stands: the one a reader looks for in a chain over several lines."""
    func = node.func
    if isinstance(func, ast.Attribute) and func.end_lineno is not None:
        return func.end_lineno
    return node.lineno
