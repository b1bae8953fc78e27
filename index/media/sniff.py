"""Which files begin like a video container: a cheap look before anything is opened for real.

The first bytes decide, not the ending. A yes is a promise to look closer, a
no is final for files whose name does not claim to be a video.
"""

from __future__ import annotations

import re

HEAD_BYTES = 4096
"""Bytes of a file that `is_container` wants to see."""

_MP4_BOXES = {
    b"ftyp", b"moov", b"mdat", b"moof", b"styp", b"sidx", b"wide", b"free", b"skip", b"pnot",
}  # fmt: skip
_STILL_OR_SOUND_BRANDS = {
    b"heic", b"heix", b"heim", b"heis", b"mif1", b"avif", b"jp2 ", b"jpx ", b"jpm ", b"crx ",
    b"M4A ", b"M4B ", b"M4P ",
}  # fmt: skip
_MAGICS = (
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11",  # ASF, WMV
    b"FLV\x01",
    b"\x00\x00\x01\xba",  # MPEG program stream, VOB
    b"\x00\x00\x01\xb3",  # MPEG-1/2 video
    b"\x00\x00\x01\xb0",  # MPEG-4 part 2 video
    b"\x06\x0e\x2b\x34\x02\x05\x01\x01\x0d\x01\x02\x01\x01\x02",  # MXF
    b".RMF",
    b"DKIF",  # IVF
    b"YUV4MPEG2 ",
    b"nut/multimedia container",
    b"\xb7\xd8\x00\x20\x37\x49\xda\x11\xa6\x4e\x00\x07\xe9\x5e\xad\x8d",  # WTV
    b"\x1f\x07\x00",  # DV
    b"\x12\x00\x0a",  # AV1 elementary stream
)
_START_CODE = re.compile(rb"\x00{2,3}\x01(?P<header>[\x00-\x7f]{2})", re.DOTALL)
_OGG_VIDEO = re.compile(rb"\x80theora|\x01video\x00|OVP80|BBCD\x00")
_H264_STARTS = {1, 5, 6, 7, 9}
_HEVC_STARTS = {32, 33, 35}

VIDEO_SUFFIXES = frozenset(
    b".mp4 .m4v .mov .qt .mkv .webm .avi .divx .wmv .asf .flv .f4v .mpg .mpeg .mpe .m2v .m2ts "
    b".vob .ogv .3gp .3g2 .mxf .rm .rmvb .dv .h264 .264 .h265 .hevc .265 .ivf .y4m .wtv".split()
)
"""Endings that claim to be video: such a file is looked at even if its head does not say so.

`.ts` and `.mts` are missing on purpose, they are TypeScript more often than video.
"""
SOUND_SUFFIXES = frozenset(
    b".mp3 .m4a .m4b .wav .flac .ogg .oga .opus .aac .wma .mka .aif .aiff".split()
)
"""Endings of files that hold sound alone, in formats that can be read."""
_SOUND_SUFFIXES = frozenset(b".mka .wma .m4a .m4b .oga .ogg .opus .mp3 .ra .aac".split())


def is_container(head: bytes, suffix: bytes) -> bool:
    """Whether a file that begins with `head` may hold video.

    Args:
        head: The first `HEAD_BYTES` bytes, fewer for a smaller file.
        suffix: Ending of the name with its dot, lower case.
    """
    if suffix in _SOUND_SUFFIXES:
        return False
    if head[4:8] in _MP4_BOXES:
        return not (head[4:8] == b"ftyp" and head[8:12] in _STILL_OR_SOUND_BRANDS)
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return b"matroska" in head[:64] or b"webm" in head[:64]
    if head.startswith(b"RIFF"):
        return head[8:12] == b"AVI "
    if head.startswith(b"OggS"):
        return _OGG_VIDEO.search(head) is not None
    if head.startswith(_MAGICS):
        return True
    return _is_annex_b(head) or _is_transport_stream(head)


def _is_annex_b(head: bytes) -> bool:
    """Raw H.264 or H.265: a start code and a unit that a stream begins with."""
    match = _START_CODE.match(head)
    if match is None:
        return False
    first, second = match["header"]
    h264 = first & 0x1F in _H264_STARTS and first & 0x80 == 0
    hevc = first >> 1 & 0x3F in _HEVC_STARTS and second & 0x07 != 0
    return h264 or hevc


def _is_transport_stream(head: bytes) -> bool:
    """Sync bytes at packet distance; tolerates a torn first packet and M2TS time codes."""
    for packet in (188, 192, 204):
        offset = head.find(0x47, 0, packet)
        while offset >= 0:
            marks = head[offset::packet]
            if len(marks) >= 4 and marks.count(0x47) == len(marks):
                return True
            offset = head.find(0x47, offset + 1, packet)
    return False
