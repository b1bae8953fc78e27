"""Fits what "not found" means for the demo model: ``python -P -m model.demo.calibrating``.

The archives come from seeds that neither training nor the demo uses.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from index.sampling.sampler import sample_range
from index.types import Background, Encoder, Localizer, ScoredSpan, Sentence, Vectors, Window
from index.vectors.background import background_of

from ..grounding.presence import (
    CALIBRATION_NAME,
    PresenceCalibration,
    Witnesses,
    fit,
    span_witnesses,
)
from ..grounding.training_free import TrainingFreeLocalizer
from .archive import DemoArchive, DemoQuery, make_archive

log = logging.getLogger(__name__)

FIRST_SEED = 500_000
_ROUNDS = 3
"""Which moment is the best one depends on the calibration, so fitting is repeated."""
_RIGHT_IOU = 0.3
_FRAME_TRUST = 2.0
"""The model was trained on what a frame does not show as much as on what it shows."""


@dataclass(frozen=True)
class _Shelf:
    """The encoded videos of one archive."""

    archive: DemoArchive
    windows: tuple[tuple[Path, Window], ...]
    vectors: Vectors

    def background(self, sentence: Sentence, encoder: Encoder) -> Background:
        space = encoder.space
        return background_of(
            self.vectors,
            sentence.pooled,
            len(self.vectors),
            space.logit_scale,
            space.logit_bias,
        )


def _shelve(archive: DemoArchive, encoder: Encoder, window_s: float) -> _Shelf:
    windows: list[tuple[Path, Window]] = []
    everything = []
    for video in archive.videos:
        duration_s = video.script.duration_s
        times, pictures = sample_range(video.path, 0.0, duration_s, 1.0, encoder.preprocess)
        times_s, vectors = np.array(times, np.float64), encoder.encode_pictures(pictures)
        everything.append(vectors)
        for start_s in {0.0, max(0.0, duration_s - window_s)}:
            inside = (times_s >= start_s) & (times_s < start_s + window_s)
            window = Window(times_s[inside], vectors[inside], 1.0, duration_s)
            windows.append((video.path, window))
    return _Shelf(archive, tuple(windows), np.concatenate(everything))


def _best(
    shelf: _Shelf, sentence: Sentence, background: Background, localizer: Localizer
) -> tuple[Path, ScoredSpan, Window]:
    found = [
        (path, proposal, window)
        for path, window in shelf.windows
        for proposal in localizer.localize(window, sentence, background).spans
    ]
    return max(found, key=lambda item: item[1].score)


def _evidence(
    shelves: Sequence[_Shelf], encoder: Encoder, localizer: Localizer
) -> Iterator[tuple[Witnesses, bool]]:
    """What speaks for the best moment of every sentence, and whether its event happens."""
    for shelf in shelves:
        for query in shelf.archive.queries:
            if query.kind == "order":
                continue
            sentence = encoder.encode_sentence(query.text)
            background = shelf.background(sentence, encoder)
            path, proposal, window = _best(shelf, sentence, background, localizer)
            if query.kind == "plain" and not _is_right(query, path, proposal):
                # Neither a moment of the event nor proof that there is none.
                continue
            yield (
                span_witnesses(proposal.span, window, sentence, background),
                query.kind == "plain",
            )


def _is_right(query: DemoQuery, path: Path, proposal: ScoredSpan) -> bool:
    return path == query.path and any(proposal.span.iou(s) >= _RIGHT_IOU for s in query.spans)


Make = Callable[[PresenceCalibration], Localizer]


def calibrate(encoder: Encoder, archives: int, make: Make) -> PresenceCalibration:
    """Weights fitted on fresh archives through the same localizer that `find` uses.

    Args:
        encoder: The model.
        archives: How many are made.
        make: The localizer that judges presence by given weights.
    """
    calibration = PresenceCalibration(1.0, 0.0, 0.0, 0.0, 0.0, frame_trust=_FRAME_TRUST)
    with tempfile.TemporaryDirectory() as name:
        window_s = make(calibration).window_s
        shelves = [
            _shelve(make_archive(Path(name) / str(k), FIRST_SEED + k), encoder, window_s)
            for k in range(archives)
        ]
        for _ in range(_ROUNDS):
            localizer = make(calibration)
            pairs = list(_evidence(shelves, encoder, localizer))
            present = np.array([is_there for _, is_there in pairs])
            calibration = replace(
                fit([witnesses for witnesses, _ in pairs], present), frame_trust=_FRAME_TRUST
            )
            said = np.array([calibration.evidence(witnesses) > 0 for witnesses, _ in pairs])
            log.info(
                "%d moments: %.3f of the right ones kept, %.3f of the absent ones refused",
                len(pairs), said[present].mean(), 1 - said[~present].mean(),
            )  # fmt: skip
    return calibration


def main() -> None:
    """Reads the options, fits, and writes the file beside the weights."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, default=Path(__file__).parent / "weights")
    parser.add_argument("--grounder", action="store_true", help="For the one beside the model.")
    parser.add_argument("--archives", type=int, default=6)
    chosen = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    from ..siglip.encoder import load_encoder

    shipped = chosen.weights == Path(__file__).parent / "weights"
    encoder = load_encoder("demo" if shipped else str(chosen.weights), device="cpu")
    if not chosen.grounder:
        calibration = calibrate(
            encoder, chosen.archives, lambda c: TrainingFreeLocalizer(calibration=c)
        )
        (chosen.weights / CALIBRATION_NAME).write_text(calibration.to_json(), encoding="utf-8")
        return
    from ..grounding.localizer import TrainedLocalizer

    folder = chosen.weights / "grounder"
    calibration = calibrate(
        encoder, chosen.archives, lambda c: TrainedLocalizer.open(folder, encoder.space, presence=c)
    )
    (folder / CALIBRATION_NAME).write_text(calibration.to_json(), encoding="utf-8")


if __name__ == "__main__":
    main()
