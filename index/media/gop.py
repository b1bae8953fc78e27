"""Groups of pictures: where decoding can start anew, and which packets a choice needs.

Everything here works on packets that are not decoded yet. Where the container
or the codec gives no promise that packets tell the truth about the frames in
them, ``NoPromise`` is raised and the caller decodes everything.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from .container import OpenVideo
from .packets import VideoPacket

CONTAINERS = frozenset({"mov", "matroska", "mpegts", "mpeg", "flv", "ivf"})
"""Formats whose packets carry a true presentation time and a true key flag."""
CODECS = frozenset(
    {
        *("h264", "hevc", "vp8", "vp9", "av1", "mpeg4", "mpeg1video", "mpeg2video"),
        *("mjpeg", "prores", "dnxhd", "png", "ffv1", "rawvideo"),
    }
)
"""Codecs in which one packet is one frame and a key frame starts anew."""
_REORDER = 32
_MAX_PACKETS = 2000
_MAX_BYTES = 96 << 20


class NoPromise(Exception):
    """The packets cannot be trusted to tell which frames come out."""


@dataclass
class Gop:
    """Packets in decode order, from one random-access point to the next.

    Attributes:
        packets: The packets; the first is the random-access point, except for
            a stream that begins without one.
        key_pts: Presentation time of the first packet.
        next_key_pts: The same of the next group, None at the end of the stream.
        next_leading: Presentation times of packets of the next group that are
            shown before its key frame and may need this group to be decoded.
        droppable: Whether the decoder may be told to drop non-reference frames.
    """

    packets: list[VideoPacket]
    key_pts: int
    next_key_pts: int | None
    next_leading: list[int]
    droppable: bool

    def shown_pts(self) -> list[int]:
        """Presentation times of the frames that are shown, rising."""
        return sorted(p.pts for p in self.packets if _is_shown(p) and p.pts is not None)


def promises(video: OpenVideo) -> bool:
    """Whether packets of this container and codec can be trusted at all."""
    codec = video.stream.codec_context.codec.canonical_name
    return video.format in CONTAINERS and codec in CODECS and video.first.pts is not None


@dataclass
class GopReader:
    """Reads a stream group by group, looking a little into the next one.

    Attributes:
        waiting: Packets read but not yet part of a returned group.
    """

    packets: Iterator[VideoPacket]
    syntax: Syntax
    waiting: deque[VideoPacket] = field(default_factory=deque)
    _ended: bool = False
    _seen: int = 0

    def next_gop(self) -> Gop | None:
        """The next group, or None at the end.

        Raises:
            NoPromise: For a missing or repeated time, a damaged packet or an
                endless group; ``waiting`` then holds every packet read.
        """
        if not self._more(1):
            return None
        size = total = 0
        while self._more(size + 1):
            packet = self.waiting[size]
            if size and self.syntax.starts_anew(packet):
                break
            total += packet.size
            size += 1
            if size > _MAX_PACKETS or total > _MAX_BYTES:
                raise NoPromise("a group of pictures without end")
        return self._cut(size)

    def _cut(self, size: int) -> Gop:
        next_key, leading = None, []
        if self._more(size + 1):
            next_key = self.waiting[size].pts
            assert next_key is not None  # noqa: S101 (checked when it was read)
            for at in range(size + 1, size + _REORDER):
                if not self._more(at + 1) or self.syntax.starts_anew(self.waiting[at]):
                    break
                pts = self.waiting[at].pts
                if pts is not None and pts < next_key and _is_shown(self.waiting[at]):
                    leading.append(pts)
        packets = [self.waiting[n] for n in range(size)]
        key = packets[0].pts
        assert key is not None  # noqa: S101
        gop = Gop(packets, key, next_key, leading, self.syntax.may_drop(packets))
        shown = gop.shown_pts()
        if len(set(shown)) != len(shown) or (
            next_key is not None and shown and shown[-1] >= next_key
        ):
            raise NoPromise("presentation times repeat or overlap")
        for _ in range(size):
            self.waiting.popleft()
        return gop

    def _more(self, count: int) -> bool:
        while len(self.waiting) < count and not self._ended:
            packet = next(self.packets, None)
            if packet is None:
                self._ended = True
                break
            self.waiting.append(packet)
            if packet.pts is None or packet.is_corrupt:
                raise NoPromise("a packet without a time, or a damaged one")
        return len(self.waiting) >= count


def _is_shown(packet: VideoPacket) -> bool:
    return not packet.is_discard


@dataclass
class Syntax:
    """What the bits of a packet say, for codecs whose key flag alone promises too little.

    Attributes:
        codec: Canonical name.
        length_size: Bytes of a NAL length prefix, 0 for start codes.
    """

    codec: str
    length_size: int

    @classmethod
    def of(cls, video: OpenVideo) -> Syntax:
        """The syntax of a video's main stream."""
        context = video.stream.codec_context
        codec, extra = context.codec.canonical_name, context.extradata or b""
        size = 0
        if codec == "h264" and len(extra) > 6 and extra[0] == 1:
            size = (extra[4] & 3) + 1
        if codec == "hevc" and len(extra) > 22 and extra[0] == 1:
            size = (extra[21] & 3) + 1
        return cls(codec, size)

    def starts_anew(self, packet: VideoPacket) -> bool:
        """Whether everything shown after this packet's frame decodes without what came before."""
        if not packet.is_keyframe:
            return False
        if self.codec == "h264":
            return self._h264_random_access(packet)
        if self.codec == "hevc":
            kinds = [head[0] >> 1 & 63 for head in self._nals(packet)]
            return any(16 <= kind <= 21 for kind in kinds)
        return True

    def may_drop(self, packets: list[VideoPacket]) -> bool:
        """Whether frames that no other refers to can be left out one by one."""
        if self.codec == "hevc":
            # With temporal layers a "non-reference" frame may serve a higher layer.
            return all(
                head[1] & 7 == 1
                for packet in packets
                for head in self._nals(packet)
                if head[0] >> 1 & 63 < 32
            )
        return self.codec in ("h264", "mpeg4", "mpeg1video", "mpeg2video")

    def _h264_random_access(self, packet: VideoPacket) -> bool:
        for head in self._nals(packet):
            kind = head[0] & 31
            if kind == 5:
                return True
            if kind == 1:
                return False
            if kind == 6 and _recovers_at_once(head[1:]):
                return True
        return False

    def _nals(self, packet: VideoPacket) -> Iterator[bytes]:
        """The first bytes of each NAL unit, up to and with the first slice."""
        data = memoryview(packet)
        for start in self._starts(data):
            head = bytes(data[start : start + 2])
            if len(head) < 2:
                return
            kind = head[0] & 31 if self.codec == "h264" else head[0] >> 1 & 63
            if self.codec == "h264" and kind == 6:
                head = bytes(data[start : start + 512])
            yield head
            if kind in ((1, 5) if self.codec == "h264" else range(32)):
                return

    def _starts(self, data: memoryview) -> Iterator[int]:
        if self.length_size:
            at = 0
            while at + self.length_size < len(data):
                yield at + self.length_size
                at += self.length_size + int.from_bytes(data[at : at + self.length_size], "big")
            return
        head = bytes(data[:65536])
        at = head.find(b"\0\0\1")
        while at >= 0:
            yield at + 3
            at = head.find(b"\0\0\1", at + 3)


def _recovers_at_once(sei: bytes) -> bool:
    """Whether an SEI holds a recovery point whose pictures are exact from the first one on."""
    data = sei.replace(b"\0\0\3", b"\0\0")
    at = 0
    while at + 2 < len(data):
        kind = size = 0
        while at < len(data) and data[at] == 255:
            kind, at = kind + 255, at + 1
        kind, at = kind + data[at] if at < len(data) else -1, at + 1
        while at < len(data) and data[at] == 255:
            size, at = size + 255, at + 1
        size, at = size + data[at] if at < len(data) else 0, at + 1
        if kind == 6:
            return at < len(data) and data[at] & 0x80 != 0
        at += size
    return False
