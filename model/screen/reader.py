"""Reads the text in a picture with RapidOCR, whose models lie in its own wheel.

RapidOCR fetches models that it does not find. It is only ever given the paths of those that
were installed with it, so that nothing is fetched.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from index.errors import ModelError
from index.passages import ReadLine
from index.types import Picture

if TYPE_CHECKING:
    from rapidocr import RapidOCR

_DETECTOR_PX = 640
"""Longer side at which text is looked for; it is read from the picture as it is."""
_DETECTOR, _RECOGNISER = "PP-OCRv6_det_small.onnx", "PP-OCRv6_rec_small.onnx"
_REMEDY = "install what reading needs: pip install 'groundzero-video[screen]'"


class RapidReader:
    """Implements ``index.passages.ScreenReader``; for one thread at a time."""

    def __init__(self, threads: int = 1) -> None:
        """Looks whether the models are there; loads nothing.

        Args:
            threads: Of the processor, that a reading may use.

        Raises:
            ModelError: The packages of the extra ``screen`` are missing, or are others.
        """
        try:
            self._version = version("rapidocr")
            found = find_spec("rapidocr")
            version("onnxruntime")
        except PackageNotFoundError as error:
            raise ModelError(f"the screen cannot be read: {error} is missing", _REMEDY) from None
        folders = (found.submodule_search_locations if found else None) or ()
        self._models = next((Path(folder) / "models" for folder in folders), Path())
        for name in (_DETECTOR, _RECOGNISER):
            if not (self._models / name).is_file():
                raise ModelError(
                    f"the screen cannot be read: rapidocr {self._version} came without {name}",
                    _REMEDY,
                )
        self._threads = threads
        self._engine: RapidOCR | None = None

    @property
    def engine(self) -> str:
        """Package, version and models, as they are written to the library."""
        return f"rapidocr {self._version} {Path(_DETECTOR).stem} {Path(_RECOGNISER).stem}"

    def read(self, picture: Picture) -> tuple[ReadLine, ...]:
        """Lines of one upright RGB picture, uint8 [H, W, 3], from top to bottom."""
        if self._engine is None:
            self._engine = self._load()
        height, width = picture.shape[:2]
        seen: Any = self._engine(np.ascontiguousarray(picture[..., ::-1]))
        if seen.boxes is None or seen.txts is None:
            return ()
        size = np.array([width, height], np.float64)
        lines = []
        for corners, body, confidence in zip(seen.boxes, seen.txts, seen.scores, strict=True):
            points = np.clip(np.asarray(corners, np.float64) / size, 0.0, 1.0)
            (left, top), (right, bottom) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
            if body.strip() and left < right and top < bottom:
                lines.append(ReadLine(body.strip(), float(confidence), (left, top, right, bottom)))
        return tuple(sorted(lines, key=lambda line: (line.box[1], line.box[0])))

    def _load(self) -> RapidOCR:
        import cv2
        from rapidocr import RapidOCR

        cv2.setNumThreads(self._threads)
        return RapidOCR(
            params={
                "Global.use_cls": False,
                "Global.log_level": "critical",
                "Det.model_path": str(self._models / _DETECTOR),
                "Det.limit_side_len": _DETECTOR_PX,
                "Det.limit_type": "max",
                "Rec.model_path": str(self._models / _RECOGNISER),
                # A batch is as wide as its longest line: alone, lines cost less of everything.
                "Rec.rec_batch_num": 1,
                "EngineConfig.onnxruntime.intra_op_num_threads": self._threads,
                "EngineConfig.onnxruntime.inter_op_num_threads": 1,
            }
        )
