"""Makes any decoded frame into what H.264 players show alike: upright, 8 bit, 4:2:0, even sides."""

from __future__ import annotations

import av
from av.filter import Graph
from av.video.reformatter import ColorRange

from ..media.container import orientation

_TURNS: list[list[str]] = [[], ["transpose=clock"], ["hflip", "vflip"], ["transpose=cclock"]]
_HDR = {16: "HDR (PQ)", 18: "HDR (HLG)"}


class Conversion:
    """Turns the frames of one source into frames of one size and format.

    Attributes:
        width: Pixels of the result, even.
        height: Pixels of the result, even.
        notes: What a person should know about the picture.
    """

    def __init__(self, first: av.VideoFrame) -> None:
        """Looks at the first frame, as it is stored."""
        turn, mirrored = orientation(first)
        self._turns = ["hflip"] * mirrored + _TURNS[turn]
        sides = (first.width, first.height)
        self.on_side = turn % 2 == 1
        """Turned by a quarter, so that width and height change places."""
        self.true_width, self.true_height = sides[::-1] if self.on_side else sides
        self.width, self.height = (side + side % 2 for side in (self.true_width, self.true_height))
        self._graph: Graph | None = None
        self._key: tuple[object, ...] = ()
        self.notes = _notes(first)

    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
        """The frame upright, yuv420p, limited range; times and colour tags stay."""
        shape = (frame.format.name, frame.width, frame.height)
        upright = not self._turns and frame.color_range != ColorRange.JPEG
        if upright and shape == ("yuv420p", self.width, self.height):
            return frame
        key = (frame.format.name, frame.width, frame.height, frame.colorspace, frame.color_range)
        if self._graph is None or key != self._key:
            self._graph, self._key = self._build(frame), key
        self._graph.vpush(frame)
        return self._graph.vpull()

    def _build(self, frame: av.VideoFrame) -> Graph:
        graph = Graph()
        known_space = frame.colorspace if frame.colorspace in range(1, 15) else 2
        source = graph.add(
            "buffer",
            f"video_size={frame.width}x{frame.height}:pix_fmt={frame.format.name}"
            f":time_base={frame.time_base}:pixel_aspect=1/1"
            f":colorspace={known_space}:range={frame.color_range}",
        )
        chain = [source]
        for text in [*self._turns, *self._scaling(frame)]:
            name, _, arguments = text.partition("=")
            chain.append(graph.add(name, arguments or None))
        chain.append(graph.add("buffersink"))
        graph.link_nodes(*chain).configure()
        return graph

    def _scaling(self, frame: av.VideoFrame) -> list[str]:
        # A size that changes on the way is scaled to the first one; odd sides get one
        # more row or column like their neighbour, so that no pixel is lost.
        scale = f"scale={self.true_width}:{self.true_height}:out_range=tv:interl=-1"
        if frame.format.name.startswith(("rgb", "bgr", "gbr", "argb", "abgr", "pal")):
            scale += f":out_color_matrix={'bt709' if self.height >= 720 else 'smpte170m'}"
        right, bottom = self.width - self.true_width, self.height - self.true_height
        if not right and not bottom:
            return [scale, "format=yuv420p"]
        return [
            scale,
            "format=yuv444p",
            f"pad={self.width}:{self.height}",
            f"fillborders=right={right}:bottom={bottom}:mode=smear",
            "scale=out_range=tv",
            "format=yuv420p",
        ]


def _notes(first: av.VideoFrame) -> tuple[str, ...]:
    notes = []
    if first.color_trc in _HDR:
        notes.append(f"{_HDR[first.color_trc]} kept without tone mapping, reduced to 8 bits")
    elif any(component.bits > 8 for component in first.format.components):
        notes.append("reduced to 8 bits per channel")
    if first.interlaced_frame:
        notes.append("interlaced, kept so")
    return tuple(notes)
