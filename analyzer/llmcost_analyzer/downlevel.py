"""Rewrites syntax that is newer than the running Python, line for line, so that its parser can read it.

LibCST brings a grammar of its own: on Python 3.11 it reads 3.12's f-strings and type parameters. Only files that the
running parser refuses come here.
"""

from __future__ import annotations

import libcst as cst


def downlevel(source: str) -> str | None:
    """The same program in older syntax with the same line numbers, or None where LibCST can't read it either."""
    try:
        tree = cst.parse_module(source)
    except (cst.ParserSyntaxError, RecursionError, ValueError):
        return None
    try:
        return tree.visit(_Older()).code
    except cst.CSTValidationError:
        return None


class _Older(cst.CSTTransformer):
    def leave_FormattedString(  # noqa: N802 - named by LibCST
        self, _: cst.FormattedString, updated_node: cst.FormattedString
    ) -> cst.BaseExpression:
        """``f"a{b}"`` becomes ``("a" + (b))``; nested quotes are harmless then."""
        raw = "r" if "r" in updated_node.start.lower() else ""
        quote = updated_node.start.lstrip("fFrRbBuU")
        operands: list[cst.BaseExpression] = []
        for part in updated_node.parts:
            if isinstance(part, cst.FormattedStringText):
                text = part.value.replace("{{", "{").replace("}}", "}")
                operands.append(cst.SimpleString(f"{raw}{quote}{text}{updated_node.end}"))
            elif isinstance(part, cst.FormattedStringExpression):
                operands.append(_parenthesised(part.expression))
        if not operands:
            return cst.SimpleString('""')
        total = operands[0]
        for operand in operands[1:]:
            total = cst.BinaryOperation(total, cst.Add(), operand)
        return _parenthesised(total)

    def visit_ConcatenatedString(self, node: cst.ConcatenatedString) -> bool:  # noqa: N802, ARG002 - named by LibCST
        return False

    def leave_ConcatenatedString(  # noqa: N802 - named by LibCST
        self,
        original_node: cst.ConcatenatedString,
        updated_node: cst.ConcatenatedString,  # noqa: ARG002
    ) -> cst.BaseExpression:
        """``"a" f"{b}"`` needs a plus once its parts are no strings any more."""
        return _parenthesised(self._sum(original_node))

    def _sum(self, node: cst.BaseExpression) -> cst.BaseExpression:
        if not isinstance(node, cst.ConcatenatedString):
            part = node.visit(self)
            return part if isinstance(part, cst.BaseExpression) else node
        plus = cst.Add(whitespace_before=node.whitespace_between, whitespace_after=cst.SimpleWhitespace(" "))
        return cst.BinaryOperation(self._sum(node.left), plus, self._sum(node.right))

    def leave_FunctionDef(  # noqa: N802 - named by LibCST
        self, _: cst.FunctionDef, updated_node: cst.FunctionDef
    ) -> cst.FunctionDef:
        return updated_node.with_changes(type_parameters=None)

    def leave_ClassDef(  # noqa: N802 - named by LibCST
        self, _: cst.ClassDef, updated_node: cst.ClassDef
    ) -> cst.ClassDef:
        return updated_node.with_changes(type_parameters=None)

    def leave_TypeAlias(  # noqa: N802 - named by LibCST
        self, _: cst.TypeAlias, updated_node: cst.TypeAlias
    ) -> cst.Assign:
        return cst.Assign([cst.AssignTarget(updated_node.name)], updated_node.value)


def _parenthesised(node: cst.BaseExpression) -> cst.BaseExpression:
    return node.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])
