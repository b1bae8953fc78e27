"""Clips land where they should, whatever names, faults and other files are about."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numbered import Recipe, read, write
from single_clip import export_clip

from index import failpoints
from index.clips.export import ClipRequest, ClipResult, ExportOptions, export_clips
from index.clips.files import clip_name, safe_stem, stamp
from index.clips.source import Cut
from index.clips.verify import verify
from index.errors import GzError, MediaError, UsageError
from index.media.fingerprint import fingerprint

ROOT = Path(__file__).resolve().parents[3]
HOSTILE = [
    "../../x",
    "/etc/passwd",
    "..",
    "",
    "CON",
    "nul.mp4",
    "COM1.old",
    "a\nb",
    "\x1b[31mred\x1b[0m",
    "x" * 255,
    "ä" * 200,
    os.fsdecode(b"caf\xe9"),
    "\u202egnp.exe",
    "-rf",
    ".hidden",
    'a:b*c?d|e<f>g"h',
    "trailing. ",
    "[/]",
]


@pytest.fixture(autouse=True)
def _disarmed():
    yield
    failpoints.disarm()


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("source") / "film.mp4", Recipe(options={"g": "25"}))


def request(path: Path, start_s: float = 1.0, end_s: float = 2.0, **more) -> ClipRequest:
    return ClipRequest(os.fsencode(path), start_s, end_s, more.pop("stem", path.stem), **more)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@settings(deadline=None)
@given(st.one_of(st.sampled_from(HOSTILE), st.text(), st.binary().map(os.fsdecode)))
def test_any_name_becomes_one_safe_component(stem):
    name = clip_name(stem, 0, 3661.5, "mp4")
    assert name == Path(name).name
    assert len(os.fsencode(name)) <= 200
    assert name.encode().decode() == name
    assert all(char.isprintable() and char not in '<>:"/\\|?*' for char in name)
    assert not name.startswith((".", "-", "~", " "))
    assert name.split(".")[0].split("_")[0].upper() not in {"CON", "NUL", "COM1"} or "_" in name
    assert name.endswith("_0-00-00.000-1-01-01.500.mp4")


@pytest.mark.parametrize("stem", ["CON.x", "nul.a.b", "com1.x", "LPT9.x"])
def test_no_device_of_windows(stem):
    assert safe_stem(stem).startswith("_")


def test_stamps_do_not_round_up_to_sixty():
    assert stamp(59.9996) == "0-01-00.000"
    assert stamp(36000.0004) == "10-00-00.000"


@pytest.mark.parametrize("stem", HOSTILE)
def test_hostile_names_stay_in_the_folder(video, tmp_path, stem):
    out = tmp_path / "out"
    result = export_clip(request(video, stem=stem), ExportOptions(out, mode="copy", verify=False))
    assert result.path.parent == out
    assert names(tmp_path) == ["out"]
    assert len(names(out)) == 1


def test_a_source_with_an_undecodable_name(video, tmp_path):
    source = os.fsencode(tmp_path) + b"/caf\xe9\n\x1b[1m.mp4"
    Path(os.fsdecode(source)).write_bytes(video.read_bytes())
    result = export_clip(ClipRequest(source, 1.0, 2.0, "x"), ExportOptions(tmp_path / "out"))
    assert result.ok, result.failure


def test_nothing_is_overwritten(video, tmp_path):
    options = ExportOptions(tmp_path, mode="copy", verify=False)
    first = export_clip(request(video), options).path
    first.write_bytes(b"precious")
    second = export_clip(request(video), options).path
    third = export_clip(request(video), options).path
    assert first.read_bytes() == b"precious"
    assert [second.name, third.name] == [f"{first.stem}_2.mp4", f"{first.stem}_3.mp4"]
    assert [number for number, _ in read(third)] == list(range(25, 50))


def test_no_link_is_followed(video, tmp_path):
    options = ExportOptions(tmp_path / "out", mode="copy", verify=False)
    first = export_clip(request(video), options).path
    first.unlink()
    victim = tmp_path / "victim"
    first.symlink_to(victim)
    assert export_clip(request(video), options).path.name == f"{first.stem}_2.mp4"
    assert not victim.exists()


def test_overwriting_replaces_only_when_asked(video, tmp_path):
    options = ExportOptions(tmp_path, mode="copy", overwrite=True)
    first = export_clip(request(video), options).path
    first.write_bytes(b"old")
    assert export_clip(request(video), options).path == first
    assert [number for number, _ in read(first)] == list(range(25, 50))
    assert names(tmp_path) == [first.name]


def test_a_source_is_never_replaced_by_its_own_clip(video, tmp_path):
    source = tmp_path / clip_name("film", 1.0, 2.0, "mp4")
    source.write_bytes(video.read_bytes())
    before = source.read_bytes()
    result = export_clip(request(source, stem="film"), ExportOptions(tmp_path, overwrite=True))
    assert result.path != source
    assert source.read_bytes() == before


@pytest.mark.parametrize("name_taken", ["link", "none"])
def test_without_hard_links_nothing_is_overwritten_either(video, tmp_path, monkeypatch, name_taken):
    def refuse(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    options = ExportOptions(tmp_path, mode="copy", verify=False)
    first = export_clip(request(video), options).path
    assert export_clip(request(video), options).path.name == f"{first.stem}_2.mp4"
    assert all(len(read(tmp_path / name)) == 25 for name in names(tmp_path))


def test_padding_stops_at_the_ends_of_the_video(video, tmp_path):
    options = ExportOptions(tmp_path, pad_s=0.4)
    middle, ends = export_clips([request(video), request(video, 0.2, 3.9)], options)
    assert (middle.start_s, middle.end_s) == pytest.approx((0.6, 2.4))
    assert (ends.start_s, ends.end_s) == pytest.approx((0.0, 4.0))
    assert middle.verified
    assert ends.verified


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"mode": "fast"}, "mode"),
        ({"container": "gif"}, "gif"),
        ({"pad_s": -1.0}, "Padding"),
        ({"pad_s": float("nan")}, "Padding"),
        ({"mode": "copy", "container": "mkv"}, "key frames"),
    ],
)
def test_options_without_sense_are_refused(tmp_path, options, word):
    with pytest.raises(UsageError, match=word) as refused:
        ExportOptions(tmp_path, **options)
    assert refused.value.remedy


@pytest.mark.parametrize("span", [(2.0, 1.0), (1.0, 1.0), (-1.0, 2.0), (0.0, float("inf"))])
def test_spans_without_sense_fail_alone(video, tmp_path, span):
    result = export_clip(request(video, *span), ExportOptions(tmp_path))
    assert isinstance(result.failure, UsageError)
    assert names(tmp_path) == []


def test_a_span_past_the_end_fails(video, tmp_path):
    for mode in ("exact", "copy"):
        result = export_clip(request(video, 7.0, 8.0), ExportOptions(tmp_path, mode=mode))
        assert "no frame at 7.000 s" in str(result.failure)
    assert names(tmp_path) == []


def test_a_missing_or_changed_source_fails_and_the_rest_goes_on(video, tmp_path):
    changed = tmp_path / "changed.mp4"
    changed.write_bytes(video.read_bytes())
    was = fingerprint(changed)
    write(changed, Recipe(frames=90))
    missing = request(tmp_path / "gone.mp4")
    text = tmp_path / "text.mp4"
    text.write_text("not a video")
    wanted = [missing, request(changed, fingerprint=was), request(text), request(video)]
    seen = Seen()
    results = export_clips(wanted, ExportOptions(tmp_path / "out"), seen)
    assert [result.ok for result in results] == [False, False, False, True]
    assert "missing" in str(results[0].failure)
    assert "changed since it was indexed" in str(results[1].failure)
    assert all(result.failure.remedy for result in results[:3])
    assert len(names(tmp_path / "out")) == 1
    assert seen.finished == results
    assert seen.started == [(number, 4) for number in range(1, 5)]
    assert seen.shares == sorted(seen.shares)
    assert seen.shares[-1] == 1.0


class Seen:
    def __init__(self) -> None:
        self.started: list[tuple[int, int]] = []
        self.shares: list[float] = []
        self.finished: list[ClipResult] = []

    def clip_started(self, request: ClipRequest, number: int, total: int) -> None:
        self.started.append((number, total))

    def clip_progress(self, share: float) -> None:
        self.shares.append(share)

    def clip_finished(self, result: ClipResult) -> None:
        self.finished.append(result)


def test_a_source_that_changes_while_it_is_cut_gives_no_clip(video, tmp_path):
    source = tmp_path / "growing.mp4"
    source.write_bytes(video.read_bytes())
    failpoints.arm("mid_clip", lambda: os.utime(source, (1, 1)))
    result = export_clip(request(source), ExportOptions(tmp_path / "out"))
    assert "while it was being cut" in str(result.failure)
    assert names(tmp_path / "out") == []


@pytest.mark.parametrize("point", ["mid_clip", "before_clip_publish"])
@pytest.mark.parametrize("mode", ["exact", "copy"])
def test_ctrl_c_leaves_nothing(video, tmp_path, point, mode):
    def interrupt() -> None:
        raise KeyboardInterrupt

    failpoints.arm(point, interrupt)
    with pytest.raises(KeyboardInterrupt):
        export_clips([request(video)], ExportOptions(tmp_path, mode=mode))
    assert names(tmp_path) == []


def run(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    lines = textwrap.dedent(
        """
        import os, resource, signal, sys
        from pathlib import Path
        from index import failpoints
        from index.clips.export import ClipRequest, ExportOptions, export_clips
        video, out = sys.argv[1:3]
        wanted = [ClipRequest(os.fsencode(video), 1.0, 2.0, "clip")] * 2
        """
    ) + textwrap.dedent(code)
    return subprocess.run(
        [sys.executable, "-c", lines, *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.mark.parametrize("point", ["mid_clip", "before_clip_publish"])
@pytest.mark.parametrize("mode", ["exact", "copy"])
def test_kill_leaves_no_clip_and_the_next_run_clears_up(video, tmp_path, point, mode):
    out = tmp_path / "out"
    died = run(
        """
        failpoints.arm(sys.argv[3], lambda: os.kill(os.getpid(), signal.SIGKILL))
        export_clips(wanted, ExportOptions(Path(out), mode=sys.argv[4]))
        """,
        video,
        out,
        point,
        mode,
    )
    assert died.returncode == -signal.SIGKILL, died.stderr
    assert [path.name[:9] for path in out.iterdir()] == [".gz-clip-"]
    result = export_clip(request(video), ExportOptions(out, mode=mode))
    assert result.verified
    assert names(out) == [result.path.name]


def test_what_another_export_is_writing_is_left_alone(video, tmp_path):
    second: list[ClipResult] = []
    options = ExportOptions(tmp_path, mode="copy")

    def export_beside() -> None:
        failpoints.disarm()
        second.append(export_clip(request(video), options))

    failpoints.arm("mid_clip", export_beside)
    first = export_clip(request(video), options)
    assert first.verified
    assert second[0].verified
    assert names(tmp_path) == sorted([first.path.name, second[0].path.name])


@pytest.mark.parametrize("limit", [0, 300, 2000, 5000])
@pytest.mark.parametrize("mode", ["exact", "copy"])
def test_a_full_disk_leaves_nothing_half(video, tmp_path, limit, mode):
    out = tmp_path / "out"
    done = run(
        """
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), resource.RLIM_INFINITY))
        results = export_clips(wanted, ExportOptions(Path(out), mode=sys.argv[4]))
        print([type(result.failure).__name__ for result in results])
        """,
        video,
        out,
        limit,
        mode,
    )
    assert done.stdout.strip() == "['NoSpaceError', 'NoSpaceError']", done.stderr
    assert names(out) == []


def test_a_folder_that_cannot_be_made_is_a_usage_error(video, tmp_path):
    taken = tmp_path / "file"
    taken.write_text("x")
    with pytest.raises(UsageError, match="file"):
        export_clip(request(video), ExportOptions(taken / "out"))


def test_a_codec_that_mp4_cannot_carry_is_refused_with_a_remedy(tmp_path):
    source = write(
        tmp_path / "film.avi",
        Recipe(codec="wmv2", options={}, sound=None, clock=Fraction(1, 25)),
    )
    result = export_clip(request(source), ExportOptions(tmp_path / "out", mode="copy"))
    assert isinstance(result.failure, GzError)
    assert "wmv2" in str(result.failure)
    assert "--mode exact" in result.failure.remedy
    assert names(tmp_path / "out") == []


def test_copying_without_times_is_refused(tmp_path):
    source = write(tmp_path / "raw.h264", Recipe(sound=None))
    result = export_clip(request(source), ExportOptions(tmp_path / "out", mode="copy"))
    assert isinstance(result.failure, MediaError)
    assert "--mode exact" in result.failure.remedy


def test_a_copy_that_would_show_other_frames_is_refused(tmp_path):
    # H.264 with B-frames in AVI, which has no presentation times.
    source = write(
        tmp_path / "odd.avi",
        Recipe(options={"g": "30", "bf": "3"}, sound=None, clock=Fraction(1, 25)),
    )
    result = export_clip(request(source), ExportOptions(tmp_path / "out", mode="copy"))
    assert isinstance(result.failure, MediaError)
    assert "--mode exact" in result.failure.remedy
    assert names(tmp_path / "out") == []


def test_a_wrong_clip_is_noticed(video, tmp_path):
    source = os.fsencode(video)
    for mode in ("exact", "copy"):
        result = export_clip(request(video), ExportOptions(tmp_path, mode=mode))
        for shift, count in ((-1, 25), (1, 25), (0, 24), (0, 26)):
            times = tuple(Fraction(25 + shift + n, 25) for n in range(count))
            claimed = Cut(times[0], times[-1] + Fraction(1, 25), times)
            verdict = verify(result.path, source, claimed, lossless=mode == "copy")
            assert not verdict.verified
            assert verdict.note
