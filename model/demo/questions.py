"""A question about an archive of the small world, with its truth."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from index.types import Span

QuestionKind = Literal["plain", "order", "absent", "words", "both", "half-right", "unsaid"]
"""Three about pictures, then what is said, what is said beside a picture, the right words
beside the wrong picture, and what nobody says."""


@dataclass(frozen=True)
class DemoQuery:
    """A query and every moment that answers it."""

    text: str
    path: Path | None
    """The only video that shows it; None for what never happens."""
    spans: tuple[Span, ...]
    kind: QuestionKind
