"""What a person, or a program, sees of a look at a model."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from .render import Screen, display_safe

if TYPE_CHECKING:
    from index.types import EmbeddingSpace
    from model.evaluation.first_look import Look, Usual

_KNOWN = "SigLIP 2 is known for right pairs of 0.08 to 0.29, others about 0"


def show_look(screen: Screen, spec: str, space: EmbeddingSpace, look: Look) -> None:
    """Prints a whole look, or one JSON document."""
    if screen.as_json:
        screen.json("try-model", {"model": spec, "space": space.id, **_fields(look)})
        return
    matches = look.matches
    count = len(matches.cosines)
    rows = [
        ("model", f"{spec} ({space.backbone}), space {space.id}"),
        ("queries", f"{matches.sentences_found} of {count} find their picture"),
        ("pictures", f"{matches.pictures_found} of {count} find their query"),
        ("cosines", f"{_cosines(look)} ({_KNOWN})"),
        ("usual", _usual(look)),
        ("tokens", f"{' '.join(look.pieces)} - {len(look.pieces)} of {look.length}, then padding"),
        ("form", form_words(look)),
    ]
    for name, words in rows:
        screen.result(f"{name:<10}{display_safe(words)}")
    for trouble in look.troubles:
        screen.result(f"{screen.styled('BAD', 'red')}       {display_safe(trouble.words)}")
    if not look.troubles:
        screen.result(f"{screen.styled('ok', 'green')}        The model works as it should.")


def form_words(look: Look) -> str:
    """What computes the pictures' vectors, and how near that is to plain float32."""
    form = look.form or "a form that cannot be remembered"
    return f"{form}, agreement with plain float32 {look.agreement:.5f}"


def _cosines(look: Look) -> str:
    right, wrong = look.matches.right, look.matches.wrong
    return f"right pairs {right.min():.2f} to {right.max():.2f}, others {wrong.mean():.2f}"


def _usual(look: Look) -> str:
    """What a search would take for a usual best score, beside single and right queries."""
    usual = look.usual
    if usual is None:
        return "not known, because it does not tell everyday sentences apart"
    together, alone, right = (
        f"{middle:.1f} ({spread:.1f})"
        for middle, spread in (usual.together, usual.alone, usual.right)
    )
    return (
        f"best picture of three everyday sentences at once {together}, of one {alone}, "
        f"of a right query {right}: median and spread, in deviations"
    )


def _fields(look: Look) -> dict[str, Any]:
    matches = look.matches
    return {
        "works": not look.troubles,
        "troubles": [{"kind": t.kind, "detail": t.words} for t in look.troubles],
        "pairs": len(matches.cosines),
        "queries_found": matches.sentences_found,
        "pictures_found": matches.pictures_found,
        "right_cosines": [_number(value) for value in (matches.right.min(), matches.right.max())],
        "other_cosines_mean": _number(matches.wrong.mean()),
        "usual": None if look.usual is None else _usual_fields(look.usual),
        "query": look.query,
        "tokens": list(look.pieces),
        "token_length": look.length,
        "form": look.form,
        "agreement": _number(look.agreement),
    }


def _usual_fields(usual: Usual) -> dict[str, dict[str, float]]:
    return {
        name: {"median": round(middle, 4), "spread": round(spread, 4)}
        for name, (middle, spread) in (
            ("together", usual.together),
            ("alone", usual.alone),
            ("right", usual.right),
        )
    }


def _number(value: float) -> float | None:
    return round(float(value), 6) if math.isfinite(value) else None
