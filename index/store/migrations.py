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


def _in_new_words(sql: str) -> str:
    return sql.replace("'pending'", "'waiting'").replace("'quarantined'", "'set aside'")
