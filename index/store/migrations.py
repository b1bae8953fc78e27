"""Later steps from an older library to the present one; `schema` says in which order.

Part of the store: it speaks SQL.
"""

from __future__ import annotations

import re

from sqlite_utils import Database

from .checksums import covered_rows
from .contents import list_contents


def coarse_versions(db: Database) -> None:
    """Versions that hold key frames alone, until one at the full rate takes their place."""
    db.execute("ALTER TABLE versions ADD COLUMN coarse INTEGER NOT NULL DEFAULT 0")


def decoder_deaths(db: Database) -> None:
    """Counts decoders that a file has cost apart from attempts that were only interrupted.

    Files that were set aside because gz itself was ended are tried again.
    """
    db.execute("ALTER TABLE videos ADD COLUMN deaths INTEGER NOT NULL DEFAULT 0")
    db.execute(
        "UPDATE videos SET status = 'pending', reason = '', attempts = 0 "
        "WHERE reason LIKE 'set aside after % tries: gz itself ended while reading it'"
    )


def copies_and_content_digests(db: Database) -> None:
    """Files with the content of another, and the digest that tells whether it still is that."""
    db.execute("ALTER TABLE versions ADD COLUMN content_digest TEXT NOT NULL DEFAULT ''")
    db.execute(
        """CREATE TABLE copies (
            id INTEGER PRIMARY KEY,
            path BLOB NOT NULL UNIQUE,
            video_id INTEGER NOT NULL REFERENCES videos (id),
            size_bytes INTEGER NOT NULL,
            mtime_ns INTEGER NOT NULL,
            ctime_ns INTEGER NOT NULL,
            inode INTEGER NOT NULL,
            device INTEGER NOT NULL
        )"""
    )
    db.execute("CREATE INDEX copies_by_video ON copies (video_id)")


def words_that_people_read(db: Database) -> None:
    """A video that is not done is *waiting*, one that killed the decoder too often *set aside*.

    SQLite cannot change what a column may hold, so the table is made again from its own text,
    with whatever columns and look-up tables it has by now.
    """
    made = dict(
        db.execute(
            "SELECT name, sql FROM sqlite_master "
            "WHERE sql IS NOT NULL AND (tbl_name = 'videos' OR name = 'searchable')"
        ).fetchall()
    )
    table, view = (_in_new_words(made.pop(name)) for name in ("videos", "searchable"))
    columns = [row[1] for row in db.execute("PRAGMA table_info(videos)").fetchall()]
    values = ", ".join(columns).replace(
        "status",
        "CASE status WHEN 'pending' THEN 'waiting' WHEN 'quarantined' THEN 'set aside' "
        "ELSE status END",
    )
    for statement in (
        "DROP VIEW searchable",
        re.sub(r"^CREATE TABLE \W?videos\W?", "CREATE TABLE videos_anew ", table, count=1),
        f"INSERT INTO videos_anew ({', '.join(columns)}) SELECT {values} FROM videos",  # noqa: S608
        # Numbers of videos that were forgotten are not given again.
        "DELETE FROM sqlite_sequence WHERE name = 'videos_anew'",
        "INSERT INTO sqlite_sequence (name, seq) "
        "SELECT 'videos_anew', seq FROM sqlite_sequence WHERE name = 'videos'",
        "DROP TABLE videos",
        "ALTER TABLE videos_anew RENAME TO videos",
        *made.values(),
        view,
    ):
        db.execute(statement)


def checksums_of_rows_and_chunks(db: Database) -> None:
    """Whatever decides an answer is checked when it is read; see `checksums`, `contents`."""
    db.execute("ALTER TABLE versions ADD COLUMN contents BLOB NOT NULL DEFAULT x''")
    list_contents(db)
    covered_rows(db)


def texts_and_passages(db: Database) -> None:
    """What is said and shown in words: a text for each source of a video, and its passages.

    A text has a state of its own: a crash in transcription hides no pictures, and another
    subtitle file encodes none again. Two indexes find words: by their beginnings, and, for
    the screen and for languages without spaces, by any three characters.
    """
    for statement in (
        "ALTER TABLE videos ADD COLUMN texts_of TEXT NOT NULL DEFAULT ''",
        """CREATE TABLE texts (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            video_id INTEGER NOT NULL REFERENCES videos (id),
            fingerprint TEXT NOT NULL,
            source TEXT NOT NULL,
            channel TEXT NOT NULL CHECK (channel IN ('speech', 'screen', 'chapter')),
            kind TEXT NOT NULL,
            origin TEXT NOT NULL CHECK (origin IN ('person', 'automatic', 'machine')),
            path BLOB NOT NULL DEFAULT x'',
            stream INTEGER,
            language TEXT NOT NULL DEFAULT '',
            encoding TEXT NOT NULL DEFAULT '',
            engine TEXT NOT NULL DEFAULT '',
            settings TEXT NOT NULL DEFAULT '',
            state TEXT NOT NULL CHECK (state IN ('staged', 'visible', 'failed', 'empty')),
            reason TEXT NOT NULL DEFAULT '',
            notes TEXT NOT NULL DEFAULT '[]',
            testimony TEXT NOT NULL DEFAULT '',
            covered_s REAL NOT NULL DEFAULT 0,
            passages INTEGER NOT NULL DEFAULT 0,
            searched INTEGER NOT NULL DEFAULT 0,
            clock TEXT NOT NULL DEFAULT '[]',
            size_bytes INTEGER NOT NULL DEFAULT 0,
            mtime_ns INTEGER NOT NULL DEFAULT 0,
            ctime_ns INTEGER NOT NULL DEFAULT 0,
            inode INTEGER NOT NULL DEFAULT 0,
            device INTEGER NOT NULL DEFAULT 0,
            digest INTEGER NOT NULL DEFAULT 0
        )""",
        "CREATE INDEX texts_by_video ON texts (video_id, state)",
        """CREATE TABLE passages (
            id INTEGER PRIMARY KEY,
            text_id INTEGER NOT NULL REFERENCES texts (id),
            start_ms INTEGER NOT NULL,
            end_ms INTEGER NOT NULL,
            body TEXT NOT NULL,
            speaker TEXT NOT NULL DEFAULT '',
            confidence REAL NOT NULL DEFAULT 1,
            words BLOB NOT NULL DEFAULT x'',
            first_page INTEGER,
            first_line INTEGER,
            last_page INTEGER,
            last_line INTEGER,
            quality TEXT NOT NULL DEFAULT 'cue',
            box BLOB NOT NULL DEFAULT x'',
            by_letters INTEGER NOT NULL DEFAULT 0,
            digest INTEGER NOT NULL
        )""",
        "CREATE INDEX passages_by_time ON passages (text_id, start_ms)",
        "CREATE VIEW passages_by_letters AS SELECT id, body FROM passages WHERE by_letters = 1",
        """CREATE VIRTUAL TABLE word_index USING fts5 (
            body, content='passages', content_rowid='id',
            tokenize="unicode61 remove_diacritics 2", prefix='2 3'
        )""",
        """CREATE VIRTUAL TABLE letter_index USING fts5 (
            body, content='passages_by_letters', content_rowid='id', tokenize='trigram'
        )""",
        """CREATE TRIGGER passages_insert_words AFTER INSERT ON passages BEGIN
            INSERT INTO word_index (rowid, body) VALUES (new.id, new.body);
        END""",
        """CREATE TRIGGER passages_delete_words AFTER DELETE ON passages BEGIN
            INSERT INTO word_index (word_index, rowid, body) VALUES ('delete', old.id, old.body);
        END""",
        """CREATE TRIGGER passages_insert_letters AFTER INSERT ON passages
        WHEN new.by_letters BEGIN
            INSERT INTO letter_index (rowid, body) VALUES (new.id, new.body);
        END""",
        """CREATE TRIGGER passages_delete_letters AFTER DELETE ON passages
        WHEN old.by_letters BEGIN
            INSERT INTO letter_index (letter_index, rowid, body)
            VALUES ('delete', old.id, old.body);
        END""",
    ):
        db.execute(statement)


def _in_new_words(sql: str) -> str:
    return sql.replace("'pending'", "'waiting'").replace("'quarantined'", "'set aside'")
