"""Which known videos are gone, and which folders are merely out of reach.

A file that is absent is hidden, not forgotten; a folder that cannot be seen
(an unplugged drive, a share that is down) changes nothing. Only pruning
forgets, and only where the folder itself is there.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from ..files import FileStat
from ..store.library import Library
from ..types import VideoRow
from .scan import Root


@dataclass(frozen=True)
class Absence:
    """What is missing under the folders of a run."""

    gone: tuple[VideoRow, ...]
    """Videos whose file is not there although its folder is."""
    gone_copies: tuple[bytes, ...]
    """Copies of videos, likewise."""
    offline_roots: tuple[bytes, ...]
    """Named folders that are out of reach; nothing under them is touched."""
    deleted_roots: tuple[bytes, ...]
    """Named files, and folders where that is certain, that somebody deleted."""


def missing(
    library: Library,
    roots: Sequence[Root],
    unreadable: Sequence[bytes],
    given_up: Collection[bytes] = (),
) -> Absence:
    """Compares what the library knows with what is on disk.

    Args:
        library: Open library.
        roots: The folders and files of this run, as the walk met them.
        unreadable: Paths that the walk could not look into; nothing below counts as gone.
        given_up: Folders that somebody named in order to forget what is gone.

    Returns:
        Gone videos and roots, and offline roots; nothing is changed.
    """
    videos, copies = library.videos(), library.copies()
    known = [video.path for video in videos] + [copy.path for copy in copies]
    devices = library.roots()
    files = {video.path for video in videos} | set(given_up)
    deleted = {root.path for root in roots if root.path in files and _is_deleted(root, devices)}
    offline = tuple(
        root.path
        for root in roots
        if root.path not in deleted and _is_offline(root, known, devices)
    )
    gone = {
        path
        for path in known
        if in_reach(path, roots, unreadable, offline) and not os.path.lexists(path)
    }
    return Absence(
        tuple(video for video in videos if video.path in gone),
        tuple(copy.path for copy in copies if copy.path in gone),
        offline,
        tuple(sorted(deleted)),
    )


def taken_over_by_copies(library: Library, gone: set[int], here: set[bytes]) -> dict[int, bytes]:
    """Lets copies that are there, as they were, stand for videos whose file is not.

    Args:
        library: Open for writing.
        gone: Videos whose file is gone from a folder of this run.
        here: Files that this run met; their videos may lie in folders that it does not name.

    Returns:
        Where those videos are now, by id.
    """
    taken: dict[int, bytes] = {}
    for copy in library.copies():
        if copy.video_id in taken or not (copy.video_id in gone or copy.path in here):
            continue
        video = library.video(copy.video_id)
        if video is None or os.path.lexists(video.path):
            continue
        with contextlib.suppress(OSError):
            if FileStat.read(copy.path).same_content_as(copy.stat):
                library.rename(video.id, copy.path, copy.stat)
                taken[video.id] = copy.path
    return taken


def in_reach(
    path: bytes, roots: Sequence[Root], unreadable: Sequence[bytes], offline: Sequence[bytes]
) -> bool:
    """Whether a walk could look where a path is, so that what is not there was deleted."""
    live = [root.path for root in roots if root.path not in offline]
    hidden_below = [path for path in unreadable if path not in live] + list(offline)
    return is_under(path, live) and not is_under(path, hidden_below)


def prunable(
    library: Library, gone: Iterable[VideoRow], gone_copies: Collection[bytes] = ()
) -> list[VideoRow]:
    """Those of the gone videos that may be forgotten.

    A file whose folder now lies on another device than the file did belongs to
    a drive that is not mounted, however empty its mount point looks. A video with a copy
    that is merely out of reach will be wanted for that.

    Args:
        library: Open library.
        gone: The gone videos.
        gone_copies: Copies that are gone too, where the library still knows of them.
    """
    return [
        video
        for video in gone
        if all(copy.path in gone_copies for copy in library.copies(video.id))
        and (
            (stat := library.file_stat(video.id)) is None
            or stat.device == _device_above(video.path)
        )
    ]


def is_under(path: bytes, folders: Iterable[bytes]) -> bool:
    """True when `path` is one of `folders` or lies below one."""
    return any(path == folder or path.startswith(folder.rstrip(b"/") + b"/") for folder in folders)


def _is_deleted(root: Root, devices: dict[bytes, int]) -> bool:
    """A root that is not there, in a place that still lies on the device that the root was on.

    A drive that is not mounted leaves its place on another device, or none.
    """
    if root.device is not None or os.path.lexists(root.path):
        return False
    return devices.get(root.path) == _device_above(root.path)


def _is_offline(root: Root, known: Sequence[bytes], devices: dict[bytes, int]) -> bool:
    """A root that cannot be read, or shows nothing of what it held and looks like a bare mount."""
    below = [path for path in known if is_under(path, [root.path])]
    if root.device is None or root.reason:
        return bool(below) or root.path in devices
    if not below or any(map(os.path.lexists, below)):
        return False
    moved_device = root.path in devices and devices[root.path] != root.device
    return root.is_folder and (root.entries == 0 or moved_device)


def _device_above(path: bytes) -> int:
    """Device of the nearest folder above `path` that exists."""
    folder = os.path.dirname(path)  # noqa: PTH120 - Path cannot hold bytes
    while folder != b"/":
        try:
            return os.stat(folder).st_dev  # noqa: PTH116
        except OSError:
            folder = os.path.dirname(folder)  # noqa: PTH120
    return os.stat(b"/").st_dev  # noqa: PTH116
