"""Depositions that nobody gave: printed lines in every layout, and OpenDVT files."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

WORDS = (  # noqa: SIM905
    "contract signed never meeting warehouse invoice tuesday yellow truck door letter recall "
    "the a of to and in that was it you not on with he she they from at by had did were "
    "engineer pressure valve report copy email office saw read told asked left right before "
    "after morning evening company driver doctor bridge safety manual page exhibit bottom"
).split()
LAYOUTS = ("amicus", "summation", "image", "image below", "prefixed")


@dataclass(frozen=True)
class Line:
    page: int
    line: int
    mark: str
    """``Q.``, ``A.``, ``MR. JONES:`` or nothing."""
    body: str
    speaker: str

    @property
    def printed(self) -> str:
        return f"     {self.mark}  {self.body}".rstrip() if self.mark else f" {self.body}".rstrip()


def printed_lines(
    pages: int = 6, lines_per_page: int = 25, seed: int = 0, first_page: int = 1
) -> list[Line]:
    """Questions and answers of one to four lines; a cover page before them."""
    rng = random.Random(seed)
    said: list[Line] = []
    speaker, left = "", 0
    for page in range(first_page, first_page + pages):
        for line in range(1, lines_per_page + 1):
            mark = ""
            if page == first_page:
                said.append(Line(page, line, "", COVER.get(line, ""), ""))
                continue
            if left == 0:
                speaker = {"Q": "A", "A": "Q"}.get(speaker, "Q")
                if rng.random() < 0.08:
                    speaker = "MR. JONES"
                mark = f"{speaker}:" if speaker == "MR. JONES" else f"{speaker}."
                left = rng.randint(1, 4)
            left -= 1
            body = " ".join(rng.choice(WORDS) for _ in range(rng.randint(5, 9)))
            body = body.capitalize() if mark else body
            said.append(Line(page, line, mark, body, speaker))
    return said


COVER = {
    2: "IN THE CIRCUIT COURT OF EXAMPLE COUNTY",
    5: "VIDEOTAPED DEPOSITION OF",
    6: "JOHN Q. SMITH, M.D.",
    8: "Volume II",
    10: "May 4, 2024",
}


def clock(seconds: float) -> str:
    whole = int(seconds) % 86400
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}"


def ascii_transcript(
    lines: Sequence[Line],
    layout: str,
    clocks: dict[tuple[int, int], str] | None = None,
    side: str = "left",
) -> str:
    """The lines as a reporter's program prints them, with times of day in a margin or without."""
    sheets: dict[int, list[Line]] = {}
    for line in lines:
        sheets.setdefault(line.page, []).append(line)
    out: list[str] = []
    for page, rows in sheets.items():
        numbered = [_stamped(_numbered(row, layout), row, clocks, side) for row in rows]
        if layout == "amicus":
            out += [f"{page}", *numbered]
        elif layout == "summation":
            out += [f"{page:05}", *numbered]
        elif layout == "image":
            out += ["\f" * (page != lines[0].page) + f"{page:>70}", ""]
            out += [f"{row}\r\n" for row in numbered]
        elif layout == "image below":
            out += [*numbered, "", "       EXAMPLE REPORTING, 1 Main Street", f"{page:>70}"]
        else:
            out += numbered
    return "\r\n".join(out) + "\r\n"


def _numbered(row: Line, layout: str) -> str:
    numbers = {
        "amicus": f"{row.line:2} ",
        "summation": f" {row.line:2}  ",
        "image": f"{row.line:>4}  ",
        "image below": f"{row.line:>4}  ",
        "prefixed": f"{row.page:05}:{row.line:02}  ",
    }
    return numbers[layout] + row.printed


def _stamped(text: str, row: Line, clocks: dict[tuple[int, int], str] | None, side: str) -> str:
    if not clocks:
        return text
    stamp = clocks.get((row.page, row.line), "")
    return f"{stamp:8}  {text}" if side == "left" else f"{text:<84}{stamp}".rstrip()


def dvt(
    lines: Sequence[Line],
    starts_ms: dict[tuple[int, int], int],
    streams: Sequence[tuple[str, int, int]] = (("smith.mpg", 0, 600_000),),
    stream_of: dict[tuple[int, int], int] | None = None,
    version: str = "1.4",
    encoding: str = "ISO-8859-1",
) -> bytes:
    """An OpenDVT file.

    Args:
        lines: Printed lines.
        starts_ms: TimeMs by page and line; lines without one are not timed.
        streams: URI, FileSize and DurationMs of each.
        stream_of: Which stream a line lies in; 0 otherwise.
        version: Of the format.
        encoding: Of the file.
    """
    rows = []
    for number, line in enumerate(lines):
        at = (line.page, line.line)
        timed = ""
        if at in starts_ms:
            stream = (stream_of or {}).get(at, 0)
            timed = f"<Stream>{stream}</Stream><TimeMs>{starts_ms[at]}</TimeMs>"
        text = escape(line.printed).replace(" ", "\xa0")
        rows.append(
            f'<Line ID="{number}">{timed}<PageNo>{line.page}</PageNo><LineNo>{line.line}</LineNo>'
            f"<QA>{line.mark[:1] if line.mark in ('Q.', 'A.') else '-'}</QA>"
            + (f"<Text>{text}</Text>" if text else "")
            + "</Line>"
        )
    media = [
        f'<Stream ID="{number}"><URI>D:\\Video\\{escape(name)}</URI><FileSize>{size}</FileSize>'
        f"<FileDate>06/02/2024</FileDate><DurationMs>{ms}</DurationMs></Stream>"
        for number, (name, size, ms) in enumerate(streams)
    ]
    whole = (
        f'<?xml version="1.0" encoding="{encoding}"?>\n<!-- made for a test -->\n'
        f'<OpenDVT UUID="{{0}}" ShortID="S" Type="Deposition" Version="{version}">\n<Information>'
        "<Origination><ID>1</ID><AppName>test</AppName></Origination><Case><MatterNumber/></Case>"
        "<Deponent><FirstName>John</FirstName><LastName>Smith</LastName></Deponent>"
        "<ReportingFirm><Name>Example</Name></ReportingFirm><FirstPageNo>1</FirstPageNo>"
        "<LastPageNo>6</LastPageNo><MaxLinesPerPage>25</MaxLinesPerPage><Volume>2</Volume>"
        "<TakenOn>05/04/2024</TakenOn></Information>\n"
        f'<Lines Count="{len(rows)}">' + "\n".join(rows) + "</Lines>\n"
        f'<Streams Count="{len(media)}">' + "".join(media) + "</Streams>\n</OpenDVT>"
    )
    return whole.encode(encoding)


def damaged(whole: bytes, rng: random.Random) -> bytes:
    """A file after a few accidents: bytes changed, lost, doubled, put in, or the end cut off."""
    data = bytearray(whole)
    for _ in range(rng.randint(1, 6)):
        at, kind = rng.randrange(len(data)), rng.randrange(4)
        if kind == 0:
            data[at] = rng.randrange(256)
        elif kind == 1:
            del data[at : at + rng.randint(1, 200)]
        elif kind == 2:
            data[at:at] = data[at : at + rng.randint(1, 400)]
        else:
            data[at:at] = rng.choice([b"\x1b[2J", b"-1", b"9" * 30, b"&#27;", b"]]>", b"\0", b"\f"])
    return bytes(data[: rng.randrange(len(data))] if rng.random() < 0.1 else data)
