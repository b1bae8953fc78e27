"""Where a frame ends and the next begins, in seconds; two answers, for two uses."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from index.types import Window

Floats = npt.NDArray[np.float64]


def edges_between_frames(window: Window) -> Floats:
    """Times midway between neighbouring frames, float64 [T + 1], with both ends of the window.

    A change seen between two frames lies midway between them on average. The first
    edge is 0 where the window starts with the video, the last never passes its end.
    """
    times_s = window.times_s
    half = window.step_s / 2
    first = 0.0 if times_s[0] <= window.step_s else times_s[0] - half
    last = times_s[-1] + window.step_s
    if window.duration_s - last <= window.step_s:
        last = window.duration_s
    edges_s = np.concatenate([[first], (times_s[1:] + times_s[:-1]) / 2, [last]])
    clipped: Floats = np.clip(edges_s, 0.0, window.duration_s)
    return clipped


def edges_at_frames(window: Window) -> Floats:
    """Times of the frames and the end of the last, float64 [T + 1], inside the video.

    A trained model learned that a moment starts with its first frame.
    """
    if not len(window.times_s):
        return np.zeros(1)
    last_s = float(window.times_s[-1]) + window.step_s
    edges_s: Floats = np.append(window.times_s, last_s)
    if edges_s[0] <= window.step_s / 2:
        edges_s[0] = 0.0
    if window.duration_s - last_s < window.step_s:
        edges_s[-1] = max(window.duration_s, float(window.times_s[-1]))
    return edges_s.clip(0.0, window.duration_s)
