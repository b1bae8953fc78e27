"""What is said and shown in the videos of a library: texts, their passages and their state.

A text is what one source says about one video. It is written whole in one transaction,
or piece by piece where a machine makes it: staged, then visible. The text of a source is
replaced by the next one of the same source. Where several say the same, the best one is
searched: a person's before somebody's captions before our own.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

from ..errors import LibraryError
from ..files import FileStat, shown
from ..passages import Channel, Passage, TextSource, TextTrack
from .attempts import stat_columns
from .copies import CopyWriter
from .faults import REPAIR
from .passage_rows import COLUMNS, is_sound, passage_of, row_of
from .text_choice import chosen, words_in
from .text_rows import SOURCE, STAT, TEXT, TextRow, text_of


class TextWriter(CopyWriter):
    """One library, as far as texts go."""

    # Reading

    def text_rows(self, video_id: int | None = None) -> list[TextRow]:
        """Texts of one video or of all, in the order in which they came, failed ones too."""
        which, parameters = ("", []) if video_id is None else ("WHERE video_id = ?", [video_id])
        rows = self._all(f"SELECT {TEXT} FROM texts {which} ORDER BY id", parameters)  # noqa: S608
        return [text_of(row) for row in rows]

    def passages(
        self, text_id: int, start_s: float = 0.0, end_s: float | None = None
    ) -> list[Passage]:
        """Passages of a text that touch a stretch of time, in order of time.

        Raises:
            LibraryError: One of them is not what was written.
        """
        last_ms = 2**62 if end_s is None else round(end_s * 1000)
        rows = self._all(
            f"SELECT {COLUMNS}, digest FROM passages WHERE text_id = ? "  # noqa: S608
            "AND start_ms < ? AND end_ms >= ? ORDER BY start_ms, id",
            [text_id, last_ms, round(start_s * 1000)],
        )
        return [self.sound_passage(row) for row in rows]

    def sound_passage(self, row: Sequence[Any]) -> Passage:
        """The passage of a row of `passage_rows.COLUMNS` and its digest.

        Raises:
            LibraryError: It is not what was written.
        """
        if not is_sound(row):
            raise LibraryError(
                f"the library {shown(self._path)} is damaged: a passage of text is not what was "
                "written",
                REPAIR,
            )
        return passage_of(row[:-1])

    # Writing

    @contextlib.contextmanager
    def one_commit(self) -> Iterator[None]:
        """Everything that is written inside the block is there at once, or not at all."""
        with self._transaction():
            yield

    def write_text(
        self, video_id: int, track: TextTrack, stat: FileStat | None = None, settings: str = ""
    ) -> int:
        """Makes a text visible in the place of the older one of the same source; returns its id."""
        with self._transaction():
            text_id = self._begun(video_id, track.source, stat, settings)
            self._add(text_id, track.source.channel, track.passages)
            self._finish(text_id, track)
        return text_id

    def stage_text(self, video_id: int, source: TextSource, settings: str = "") -> TextRow:
        """The text that is being made of a source: one that was interrupted, or a new one.

        An interrupted one goes on where it stood (`covered_s`) if the video's content, the
        engine, the language and the settings are still the same.
        """
        with self._transaction():
            row = self._one(
                f"SELECT {TEXT} FROM texts WHERE video_id = ? AND source = ? "  # noqa: S608
                "AND state = 'staged'",
                [video_id, source.key],
            )
            if row is not None:
                text = text_of(row)
                wanted = (self._fingerprint(video_id), source, settings)
                if (text.fingerprint, text.source, text.settings) == wanted:
                    return text
            text_id = self._begun(video_id, source, None, settings)
            return text_of(self._row(f"SELECT {TEXT} FROM texts WHERE id = ?", [text_id]))  # noqa: S608

    def append_passages(
        self,
        text_id: int,
        channel: Channel,
        passages: Iterable[Passage],
        covered_s: float,
        clock: Sequence[tuple[float, str]] = (),
    ) -> None:
        """Adds a piece to a staged text, which speaks for so many seconds then.

        Args:
            text_id: The text.
            channel: Its channel.
            passages: Further ones.
            covered_s: Where it stands.
            clock: All that is known of a burnt-in clock until there.
        """
        with self._transaction():
            self._add(text_id, channel, passages)
            self._all(
                "UPDATE texts SET covered_s = ?, clock = ? WHERE id = ?",
                [covered_s, json.dumps(clock), text_id],
            )

    def publish_text(self, text_id: int, track: TextTrack) -> None:
        """Makes a staged text visible; the track's own passages are not looked at."""
        with self._transaction():
            self._finish(text_id, track)

    def fail_text(
        self,
        video_id: int,
        source: TextSource,
        reason: str,
        stat: FileStat | None = None,
        settings: str = "",
    ) -> None:
        """Writes down that a source cannot be used; an older text of it is no longer searched."""
        self._settle(video_id, source, stat, settings, "failed", reason, ())

    def note_wordless(
        self,
        video_id: int,
        source: TextSource,
        stat: FileStat | None = None,
        settings: str = "",
        notes: Sequence[str] = (),
    ) -> None:
        """Writes down that a source was read and holds no words, so that it need not be again."""
        self._settle(video_id, source, stat, settings, "empty", "", notes)

    def _settle(
        self,
        video_id: int,
        source: TextSource,
        stat: FileStat | None,
        settings: str,
        state: str,
        reason: str,
        notes: Sequence[str],
    ) -> None:
        with self._transaction():
            text_id = self._begun(video_id, source, stat, settings)
            self._drop("source = ? AND video_id = ? AND id <> ?", [source.key, video_id, text_id])
            self._all(
                "UPDATE texts SET state = ?, reason = ?, notes = ? WHERE id = ?",
                [state, reason, json.dumps([*notes]), text_id],
            )
            self._choose(video_id)

    def drop_text(self, text_id: int) -> None:
        """Removes a text for good: its source is gone while the video is there."""
        with self._transaction():
            video_id = self._row("SELECT video_id FROM texts WHERE id = ?", [text_id])[0]
            self._drop("id = ?", [text_id])
            self._choose(video_id)

    def container_read(self, video_id: int) -> str:
        """What was noted when a video's own streams and chapters were read; empty for never."""
        row = self._one("SELECT texts_of FROM videos WHERE id = ?", [video_id])
        return "" if row is None else str(row[0])

    def note_container_read(self, video_id: int, state: str) -> None:
        """Writes down in which state a video was when its own texts were read."""
        with self._transaction():
            self._all("UPDATE videos SET texts_of = ? WHERE id = ?", [state, video_id])

    @property
    def reads_screen(self) -> bool:
        """Whether the screen of the videos is read."""
        return self._meta("screen") == "1"

    def remember_screen(self, wanted: bool) -> None:
        """Writes down whether the screen of the videos is to be read from now on."""
        with self._transaction():
            self._set_meta("screen", str(int(wanted)))

    def rebuild_word_indexes(self) -> None:
        """Makes the indexes of words and letters again from the passages."""
        with self._transaction():
            for index in ("word_index", "letter_index"):
                self._all(f"INSERT INTO {index} ({index}) VALUES ('rebuild')")  # noqa: S608

    def _fingerprint(self, video_id: int) -> str:
        row = self._row(
            "SELECT coalesce(versions.fingerprint, videos.fingerprint) FROM videos "
            "LEFT JOIN versions ON versions.id = visible_version WHERE videos.id = ?",
            [video_id],
        )
        return str(row[0])

    def _begun(
        self, video_id: int, source: TextSource, stat: FileStat | None, settings: str
    ) -> int:
        """A staged text, alone of its source."""
        self._drop("source = ? AND video_id = ? AND state = 'staged'", [source.key, video_id])
        state = [0] * 5 if stat is None else stat_columns(stat)
        values = [
            video_id,
            self._fingerprint(video_id),
            source.key,
            source.channel,
            source.kind,
            source.origin,
            source.path,
            source.stream,
            source.language,
            source.engine,
            settings,
            *state,
        ]
        self._all(
            f"INSERT INTO texts (video_id, fingerprint, source, {SOURCE}, settings, {STAT}, "  # noqa: S608
            f"state) VALUES ({', '.join('?' * len(values))}, 'staged')",
            values,
        )
        return int(self._row("SELECT last_insert_rowid()")[0])

    def _add(self, text_id: int, channel: Channel, passages: Iterable[Passage]) -> None:
        count = 0
        for passage in passages:
            count += 1
            row = row_of(text_id, passage, by_letters=channel == "screen")
            self._all(
                f"INSERT INTO passages ({COLUMNS}, digest) "  # noqa: S608
                f"VALUES ({', '.join('?' * len(row))})",
                row,
            )
        self._all("UPDATE texts SET passages = passages + ? WHERE id = ?", [count, text_id])

    def _finish(self, text_id: int, track: TextTrack) -> None:
        source, testimony = track.source, track.testimony
        video_id = self._row("SELECT video_id FROM texts WHERE id = ?", [text_id])[0]
        self._drop("source = ? AND video_id = ? AND id <> ?", [source.key, video_id, text_id])
        self._all(
            "UPDATE texts SET state = 'visible', reason = '', language = ?, encoding = ?, "
            "notes = ?, testimony = ?, clock = ?, covered_s = ? WHERE id = ?",
            [
                source.language,
                track.encoding,
                json.dumps(track.notes),
                "" if testimony is None else json.dumps(asdict(testimony)),
                json.dumps(track.clock),
                track.covered_s,
                text_id,
            ],
        )
        self._choose(video_id)

    def _drop(self, which: str, parameters: Sequence[object]) -> None:
        doomed = self._all(f"SELECT id FROM texts WHERE {which}", parameters)  # noqa: S608
        for (text_id,) in doomed:
            self._all("DELETE FROM passages WHERE text_id = ?", [text_id])
            self._all("DELETE FROM texts WHERE id = ?", [text_id])

    def _choose(self, video_id: int) -> None:
        """Says which texts of a video are searched."""
        rows = [text for text in self.text_rows(video_id) if text.state == "visible"]
        # A text of what the video was before is not searched, and keeps none out.
        content = self._fingerprint(video_id)
        best = chosen([text for text in rows if text.fingerprint == content], self._words)
        for text in rows:
            if text.searched != (text.id in best):
                self._all(
                    "UPDATE texts SET searched = ? WHERE id = ?", [int(text.id in best), text.id]
                )

    def _words(self, text_id: int) -> frozenset[str]:
        rows = self._all("SELECT body FROM passages WHERE text_id = ?", [text_id])
        return words_in(body for (body,) in rows)
