"""The final answer of a LaTeX solution, and its value: enough to tell whether two answers are the same number.

The value is computed, never compared as text: 1/2, \\frac12 and 0.5 are one answer, and so are x+1 and 1+x, because
each variable stands for one fixed irrational-looking number.

math-verify is not used: it compares by sympy in 8 ms instead of 0.003 ms, several times a question, and it takes the
list 1, 1 for the number 1.
"""

from __future__ import annotations

import cmath
import math
import re

Value = tuple[complex, ...]
"""One number, or several: those of a point or an interval in their order, those of a list or an equation sorted."""

_MAX_CHARS = 200
"""Longer answers are not evaluated: this bounds the depth of the recursion."""

_BOX = re.compile(r"\\f?boxed\s*(?:\{|(?P<bare>[^\s{$]+))|\\fbox\s*\{")
_UNITS = re.compile(r"\\(?:text|mbox|mathrm|textbf)\s*\{[^{}]*\}(?:\^\{?\d\}?)?|\\%|%|\^\{?\\circ\}?|\\\$")
_NOISE = re.compile(r"\\\$|\\left|\\right|\\displaystyle|\\[!,;: ]|~|\$|\{,\}|\s+")
_THOUSANDS = re.compile(r"-?\d{1,3}(?:,\d{3})+(?:\.\d+)?")
_MIXED = re.compile(r"(?<![\d.}])(\d+)(\\frac\{\d+\}\{\d+\})")
_TOKEN = re.compile(r"\d+(?:\.\d+)?|\.\d+|\\[A-Za-z]+|[A-Za-z]|[-+*/^(){}\[\]]")
_GREEK = ("\\alpha", "\\beta", "\\gamma", "\\lambda", "\\omega", "\\phi", "\\theta")


def boxed_answer(solution: str) -> str | None:
    r"""The contents of the last ``\boxed{…}`` of a solution, or None: the answer's place in the MATH data set."""
    boxes = list(_BOX.finditer(solution))
    if not boxes:
        return None
    last = boxes[-1]
    if bare := last.group("bare"):
        return bare.rstrip(".")
    depth = 1
    for end in range(last.end(), len(solution)):
        depth += {"{": 1, "}": -1}.get(solution[end], 0)
        if depth == 0:
            return solution[last.end() : end].strip() or None
    return None


def canonical_latex(text: str) -> str:
    """One spelling for what is only spacing, sizing, thousands separators and the several commands for a fraction."""
    text = re.sub(r"\\[dtc]frac", r"\\frac", text.strip().rstrip("."))
    text = _NOISE.sub("", text)
    text = re.sub(r"\\frac(\d)", r"\\frac{\1}", text)
    text = re.sub(r"(\\frac\{[^{}]*\})(\d)", r"\1{\2}", text)
    text = re.sub(r"\\sqrt(\d)", r"\\sqrt{\1}", text)
    text = re.sub(r"\\(?:cdot|times)(?![A-Za-z])", "*", text)
    text = re.sub(r"([_^])\{(\w)\}", r"\1\2", text)
    return text.replace(",", "") if _THOUSANDS.fullmatch(text) else text


def without_units(text: str) -> str:
    """An answer without ``\\text{…}``, percent, degree and dollar signs."""
    return _UNITS.sub("", text)


def latex_value(text: str) -> Value | None:
    """The number or numbers of an answer, its units ignored; None for what is not arithmetic."""
    text = canonical_latex(without_units(text))
    if not text or len(text) > _MAX_CHARS:
        return None
    text = _MIXED.sub(r"(\1+\2)", text)
    ordered = text[0] in "([" and text[-1] in ")]" and len(_split_at_commas(text[1:-1])) > 1
    parts = _split_at_commas(text[1:-1]) if ordered else re.split("=", text.replace(",", "="))
    try:
        numbers = [_Parser(part).value() for part in parts]
    except (ArithmeticError, ValueError, IndexError):
        return None
    return tuple(numbers) if ordered else tuple(sorted(numbers, key=lambda number: (number.real, number.imag)))


def same_value(one: Value | None, other: Value | None) -> bool:
    """Whether two values are equal to nine digits; False where one of them is unknown."""
    if one is None or other is None or len(one) != len(other):
        return False
    return all(cmath.isclose(a, b, rel_tol=1e-9, abs_tol=1e-12) for a, b in zip(one, other, strict=True))


def _split_at_commas(text: str) -> list[str]:
    """The parts of a list; commas inside brackets do not count."""
    parts, depth = [""], 0
    for char in text:
        depth += (char in "([{") - (char in ")]}")
        if char == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += char
    return parts


class _Parser:
    """Arithmetic with implicit multiplication: ``2\\sqrt{3}``, ``\\frac{x+1}{2}``, ``3\\pi``, ``2^{n-1}``."""

    def __init__(self, text: str) -> None:
        self._tokens: list[str] = _TOKEN.findall(text)
        if "".join(self._tokens) != text:
            raise ValueError("a sign that is no arithmetic")
        self._place = 0

    def value(self) -> complex:
        result = self._sum()
        if self._place != len(self._tokens) or not cmath.isfinite(result):
            raise ValueError("not one finite number")
        return result

    def _next(self) -> str:
        return self._tokens[self._place] if self._place < len(self._tokens) else ""

    def _take(self, *expected: str) -> str:
        sign = self._tokens[self._place]
        if expected and sign not in expected:
            raise ValueError(f"{sign} instead of {expected}")
        self._place += 1
        return sign

    def _sum(self) -> complex:
        result = self._product()
        while self._next() in ("+", "-"):
            result += self._product() if self._take() == "+" else -self._product()
        return result

    def _product(self) -> complex:
        if self._next() in ("+", "-"):
            return self._product() if self._take() == "+" else -self._product()
        result = self._power()
        while (sign := self._next()) and sign not in "+-)]}":
            if sign == "/":
                self._take()
                result /= self._power()
            else:
                if sign == "*":
                    self._take()
                result *= self._power()
        return result

    def _power(self) -> complex:
        base = self._atom()
        if self._next() != "^":
            return base
        self._take()
        minus = -1 if self._next() == "-" and self._take() else 1
        exponent = minus * self._atom()
        if abs(exponent) > 1_000:
            raise ValueError("an exponent too large to evaluate")
        return complex(base**exponent)

    def _atom(self) -> complex:
        sign = self._take()
        if sign in "({":
            result = self._sum()
            self._take(")" if sign == "(" else "}")
            return result
        if sign == "\\frac":
            numerator = self._group()
            return numerator / self._group()
        if sign == "\\sqrt":
            root: complex = 2
            if self._next() == "[":
                self._take()
                root = self._sum()
                self._take("]")
            return complex(self._group() ** (1 / root))
        if sign[0].isdigit() or sign[0] == ".":
            return complex(float(sign))
        constants = {"\\pi": complex(math.pi), "e": complex(math.e), "i": 1j}
        if sign in constants:
            return constants[sign]
        if sign.isalpha() or sign in _GREEK:
            return complex(1.1 + math.modf(sum(map(ord, sign)) * math.sqrt(3))[0])
        raise ValueError(f"{sign} is not evaluated")

    def _group(self) -> complex:
        self._take("{")
        result = self._sum()
        self._take("}")
        return result
