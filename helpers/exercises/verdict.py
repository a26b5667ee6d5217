"""What a check answers: right, not attempted, or wrong with the reason."""

from __future__ import annotations

import html
from dataclasses import dataclass

__all__ = ["Verdict", "not_attempted", "right", "wrong"]

# outcome -> symbol and colour of the bar: a symbol for those who see no difference between the colours. The words keep
# the colour of the page's text, since no colour can be read well (4.5:1) both on white and on a dark page.
LOOKS = {"right": ("✓", "#009E73"), "not attempted": ("○", "#767676"), "wrong": ("✗", "#D55E00")}


@dataclass(frozen=True)
class Verdict:
    """The answer of a check: its ``outcome`` ("right", "wrong" or "not attempted") and a ``message`` that says why.

    True only when the answer is right. A notebook shows it as a box, everything else as a line of text.

    >>> wrong("your peak is at step 41")
    ✗ wrong: your peak is at step 41
    >>> bool(right("Half way up."))
    True
    """

    outcome: str
    message: str

    def __bool__(self) -> bool:
        return self.outcome == "right"

    def __repr__(self) -> str:
        return f"{LOOKS[self.outcome][0]} {self.outcome}: {self.message}"

    def _repr_html_(self) -> str:
        symbol, colour = LOOKS[self.outcome]
        head = f"<b>{symbol} {self.outcome}</b>"
        bar = f"border-left:4px solid {colour};padding:2px 10px"
        return f'<div style="{bar}">{head} · {html.escape(self.message)}</div>'


def right(message: str) -> Verdict:
    """The answer is right; ``message`` says what to take away."""
    return Verdict("right", message)


def wrong(message: str) -> Verdict:
    """The answer is wrong; ``message`` says why, and never just that it is."""
    return Verdict("wrong", message)


def not_attempted(message: str) -> Verdict:
    """Nothing was filled in yet; ``message`` says what to fill in."""
    return Verdict("not attempted", message)
