"""CQL2 text (OGC 21-065r2, Annex B) to the objects of CQL2 JSON.

Written here because filters come from anybody. A parser that backtracks, or follows brackets down with nothing to stop it, hangs or
ends the whole process over a hundred characters; this one reads each word once and counts brackets. It knows nothing of properties,
types or meaning: geo/cql2.py looks at the objects, whichever form they came in.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from geo.geometry import DEPTHS

DEEPEST: Final = 20
"""Brackets and negations around one another."""
LONGEST_NUMBER: Final = 40

_TOKEN: Final = re.compile(
    r"""\s*(?:(?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)
    |(?P<string>'(?:[^'\\]|''|\\[\s\S])*')
    |(?P<quoted>"[^"]+")
    |(?P<word>[^\W\d][\w:.]*)
    |(?P<sign><>|<=|>=|[<>=(),+-])
    |(?P<end>\Z))""",
    re.VERBOSE,
)
_ESCAPE: Final = re.compile(r"''|\\(['\\abtnvfr])")
_ESCAPED: Final = dict(zip("abtnvfr", "\a\b\t\n\v\f\r", strict=True))
_COMPARISONS: Final = frozenset({"=", "<>", "<", "<=", ">", ">="})
_WORDS: Final = frozenset({"AND", "OR", "NOT", "LIKE", "BETWEEN", "IN", "IS", "NULL"})
_SHAPES: Final = {kind.upper(): kind for kind in DEPTHS}


class CQL2SyntaxError(ValueError):
    """Text that is not CQL2; the message says at which character."""


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    place: int

    @property
    def word(self) -> str:
        return self.text.upper() if self.kind == "word" else ""


def parse_text(text: str) -> Any:
    """The CQL2 JSON of a CQL2 text: objects, lists, strings, numbers (whole ones as int), true and false. Raises CQL2SyntaxError."""
    reader = _Reader(text)
    parsed = reader.alternatives()
    reader.end()
    return parsed


class _Reader:
    """Reads one word after the other, never going back."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._place = 0
        self._depth = 0
        self._now = self._scan()

    def end(self) -> None:
        if self._now.kind != "end":
            raise self._fault("expected AND, OR or the end")

    def alternatives(self) -> Any:
        return self._chain("OR", lambda: self._chain("AND", self._negation))

    def _chain(self, word: str, part: Callable[[], Any]) -> Any:
        parts = [part()]
        while self._now.word == word:
            self._next()
            parts.append(part())
        return parts[0] if len(parts) == 1 else {"op": word.lower(), "args": parts}

    def _negation(self) -> Any:
        if self._now.word != "NOT":
            return self._predicate()
        self._next()
        return {"op": "not", "args": [self._deeper(self._negation)]}

    def _predicate(self) -> Any:
        left = self._operand()
        if self._now.text in _COMPARISONS and self._now.kind == "sign":
            operator = self._next().text
            return {"op": operator, "args": [left, self._operand()]}
        if self._now.word == "IS":
            self._next()
            negated = self._skip("NOT")
            self._take("NULL")
            return _negated({"op": "isNull", "args": [left]}, negated=negated)
        negated = self._skip("NOT")
        match self._now.word:
            case "LIKE":
                self._next()
                told = {"op": "like", "args": [left, self._operand()]}
            case "BETWEEN":
                self._next()
                low = self._operand()
                self._take("AND")
                told = {"op": "between", "args": [left, low, self._operand()]}
            case "IN":
                self._next()
                told = {"op": "in", "args": [left, self._listed(self._operand)]}
            case _ if negated:
                raise self._fault("expected LIKE, BETWEEN or IN")
            case _:
                return left
        return _negated(told, negated=negated)

    def _operand(self) -> Any:
        token = self._now
        match token.kind:
            case "number" | "sign" if token.kind == "number" or token.text in {"+", "-"}:
                return self._number()
            case "sign" if token.text == "(":
                self._next()
                inner = self._deeper(self.alternatives)
                self._take(")")
                return inner
            case "string":
                self._next()
                return _ESCAPE.sub(_unescaped, token.text[1:-1])
            case "quoted":
                self._next()
                return {"property": token.text[1:-1]}
            case "word" if token.word not in _WORDS:
                self._next()
                return self._named(token)
            case _:
                raise self._fault("expected a property, a value or a function")

    def _named(self, token: _Token) -> Any:
        """What begins with a word: a truth value, a geometry, a time, a function or a property."""
        word = token.word
        if word in {"TRUE", "FALSE"}:
            return word == "TRUE"
        if word in _SHAPES and (self._now.text == "(" or self._now.word == "Z"):
            self._skip("Z")
            return {"type": _SHAPES[word], "coordinates": self._coordinates(_SHAPES[word])}
        if word == "GEOMETRYCOLLECTION" and (self._now.text == "(" or self._now.word == "Z"):
            self._skip("Z")
            return {"type": "GeometryCollection", "geometries": self._listed(lambda: self._deeper(self._operand))}
        if self._now.text != "(" or self._now.kind != "sign":
            return {"property": token.text}
        if word == "BBOX":
            return {"bbox": self._listed(self._number)}
        arguments = self._listed(lambda: self._deeper(self.alternatives))
        if word in {"DATE", "TIMESTAMP"} and len(arguments) == 1:
            return {word.lower(): arguments[0]}
        if word == "INTERVAL":
            return {"interval": arguments}
        return {"op": token.text.lower(), "args": arguments}

    def _coordinates(self, kind: str) -> Any:
        if kind == "Point":
            [position, *more] = self._listed(self._position)
            if more:
                raise self._fault("a point has one position")
            return position
        return self._nested(DEPTHS[kind])

    def _nested(self, level: int) -> list[Any]:
        return self._listed(self._point if level == 1 else lambda: self._nested(level - 1))

    def _point(self) -> list[Any]:
        """A position, which within a multipoint may stand in brackets."""
        if self._now.text != "(":
            return self._position()
        self._next()
        position = self._position()
        self._take(")")
        return position

    def _position(self) -> list[Any]:
        position = [self._number()]
        while self._now.text not in {",", ")"}:
            position.append(self._number())
        return position

    def _number(self) -> int | float:
        sign = -1 if self._now.text == "-" else 1
        if self._now.kind == "sign" and self._now.text in {"+", "-"}:
            self._next()
        if self._now.kind != "number":
            raise self._fault("expected a number")
        token = self._next()
        if len(token.text) > LONGEST_NUMBER:
            raise CQL2SyntaxError(f"the number at character {token.place + 1} has more than {LONGEST_NUMBER} digits")
        return sign * (int(token.text) if token.text.isdigit() else float(token.text))

    def _listed(self, part: Callable[[], Any]) -> list[Any]:
        self._take("(")
        parts = [part()]
        while self._now.text == "," and self._now.kind == "sign":
            self._next()
            parts.append(part())
        self._take(")")
        return parts

    def _deeper(self, part: Callable[[], Any]) -> Any:
        self._depth += 1
        if self._depth > DEEPEST:
            raise CQL2SyntaxError(f"more than {DEEPEST} brackets or negations around one another")
        inner = part()
        self._depth -= 1
        return inner

    def _skip(self, word: str) -> bool:
        there = self._now.word == word
        if there:
            self._next()
        return there

    def _take(self, wanted: str) -> None:
        if (self._now.word or self._now.text) != wanted or self._now.kind not in {"word", "sign"}:
            raise self._fault(f"expected {wanted}")
        self._next()

    def _next(self) -> _Token:
        token = self._now
        self._now = self._scan()
        return token

    def _scan(self) -> _Token:
        found = _TOKEN.match(self._text, self._place)
        if found is None or found.lastgroup is None:
            start = len(self._text) - len(self._text[self._place :].lstrip())
            raise CQL2SyntaxError(f"not CQL2 at character {start + 1}, {self._text[start : start + 20]!r}")
        kind = found.lastgroup
        self._place = found.end()
        return _Token(kind, found[kind], found.start(kind))

    def _fault(self, message: str) -> CQL2SyntaxError:
        there = "the end" if self._now.kind == "end" else f"character {self._now.place + 1}, {self._now.text[:20]!r}"
        return CQL2SyntaxError(f"{message} at {there}")


def _unescaped(found: re.Match[str]) -> str:
    """The character that is meant. A backslash before any other stays, so that `like` can read escapes of its own."""
    letter = found[1] or "'"
    return _ESCAPED.get(letter, letter)


def _negated(told: dict[str, Any], *, negated: bool) -> dict[str, Any]:
    return {"op": "not", "args": [told]} if negated else told
