"""The real reader on rendered pictures, and that it takes nothing from a network."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from rendered import written

from index.errors import ModelError
from index.text.screen_lines import joined
from index.text.screen_reading import ScreenReading
from model.screen import reader as screen_reader
from model.screen.reader import RapidReader

SLIDE = [
    ("Exhibit 12 of 48: lease", 80, 60, 48),
    ("The tenant shall pay 1,250.00 EUR a month", 100, 200, 30),
    ("Never signed by either party", 100, 280, 30),
    ("Bates ABC-000123-X", 100, 360, 26),
]


@pytest.fixture(scope="module")
def reader() -> RapidReader:
    return RapidReader()


def test_a_slide_is_read_word_by_word_where_it_stands(reader: RapidReader) -> None:
    picture = written(SLIDE)
    lines = joined(reader.read(picture), 1280 / 720)
    assert [line.body for line in lines] == [text for text, *_ in SLIDE]
    for line, (_, left, top, height) in zip(lines, SLIDE, strict=True):
        assert line.confidence > 0.9
        assert abs(line.box[0] * 1280 - left) < height
        assert 0 <= line.box[1] * 720 - top + height / 2 < height
    assert reader.read(np.full((360, 640, 3), 90, np.uint8)) == ()


def test_a_digit_of_a_scoreboard_is_read_at_its_place(reader: RapidReader) -> None:
    reading = ScreenReading(reader)
    for second, goals in enumerate([0, 1, 1, 2]):
        words = [(f"HOME {goals} - 1 AWAY", 28, 22, 18), ("CUP FINAL", 400, 320, 22)]
        reading.see(second * 10.0, written(words, (640, 360), (240, 240, 240), (20, 60, 30)))
    passages = [(p.start_s, p.end_s, p.body) for p in reading.track(40.0).passages]
    assert passages == [
        (0, 10, "HOME 0 - 1 AWAY"),
        (0, 40, "CUP FINAL"),
        (10, 30, "HOME 1 - 1 AWAY"),
        (30, 40, "HOME 2 - 1 AWAY"),
    ]


def test_a_cameras_clock_is_told_from_its_name(reader: RapidReader) -> None:
    reading = ScreenReading(reader)
    clock = {0: "2024-03-05 23:59:00", 1: "2024-03-05 23:59:01", 70: "2024-03-06 00:00:10"}
    for second, shown in clock.items():
        words = [("CAM 03 LOADING DOCK", 20, 14, 16), (shown, 440, 14, 16)]
        reading.see(
            float(second),
            written(words, (640, 360), (240, 240, 240), (70, 72, 70), "DejaVuSansMono.ttf"),
        )
    track = reading.track(80.0)
    assert [p.body for p in track.passages] == ["CAM 03 LOADING DOCK"]
    assert track.clock[0] == (0.0, "2024-03-05T23:59:00")
    assert track.clock[-1] == (70.0, "2024-03-06T00:00:10")


def test_reading_opens_no_connection_and_few_threads(tmp_path: Path) -> None:
    """In a process of its own, in which every way to a network raises."""
    picture = tmp_path / "slide.npy"
    np.save(picture, written(SLIDE))
    code = f"""
import sys
def refuse(event, arguments):
    if event.startswith("socket."):
        raise RuntimeError(f"{{event}} {{arguments}}")
sys.addaudithook(refuse)
import numpy as np
from model.screen.reader import RapidReader
reader = RapidReader(threads=1)
assert not {{"rapidocr", "onnxruntime", "cv2"}} & set(sys.modules), "loaded before it reads"
lines = reader.read(np.load({str(picture)!r}))
from pathlib import Path
print(len(list(Path("/proc/self/task").iterdir())) if Path("/proc/self").exists() else 0)
print(*(line.body for line in lines), sep="|")
"""
    ran = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=Path(screen_reader.__file__).parents[2],
        env={"OMP_NUM_THREADS": "1", "PATH": ""},
    )
    assert ran.returncode == 0, ran.stderr
    threads, words = ran.stdout.splitlines()
    assert words == "|".join(text for text, *_ in SLIDE)
    assert int(threads) <= 2
    assert ran.stderr == ""


def test_without_the_extra_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise screen_reader.PackageNotFoundError(name)

    monkeypatch.setattr(screen_reader, "version", missing)
    with pytest.raises(ModelError) as caught:
        RapidReader()
    assert "rapidocr is missing" in caught.value.message
    assert "pip install 'groundzero-video[screen]'" in (caught.value.remedy or "")


def test_other_models_in_the_package_are_not_guessed_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(screen_reader, "_RECOGNISER", "PP-OCRv9_rec.onnx")
    with pytest.raises(ModelError, match=r"came without PP-OCRv9_rec\.onnx"):
        RapidReader()
