"""Annotation files of every kind, their bad rows, the split by video, and feature folders."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.errors import UsageError
from model.datasets.annotations import read_annotations, video_name
from model.datasets.augment import AugmentConfig
from model.datasets.features import FeatureFolders, step_seconds
from model.datasets.records import Record, parse_shares, split_by_video
from model.datasets.windows import MomentDataset, collate, frame_saliency


def put(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def qvh(qid=1, vid="a_0.0_150.0", windows=((10, 20),), **more):
    row = {
        "qid": qid,
        "query": "a dog runs",
        "duration": 150,
        "vid": vid,
        "relevant_clip_ids": [5, 6],
        "saliency_scores": [[1, 2, 3], [4, 4, 4]],
        "relevant_windows": [list(w) for w in windows],
    }
    return {**row, **more}


def lines(*rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


def test_qvhighlights(tmp_path):
    path = put(tmp_path / "train.jsonl", lines(qvh(), qvh(2, windows=((0, 8), (50, 60)))))
    read = read_annotations(path)
    assert read.problems == ()
    first, second = read.checked()
    assert first.video == "a_0.0_150.0"
    assert first.saliency == ((1, 2, 3), (4, 4, 4))
    assert second.windows == ((0, 8), (50, 60))
    assert first.official() == {**qvh(), "saliency_scores": [[1, 2, 3], [4, 4, 4]]}


def test_a_sentence_without_a_moment_is_taken_only_where_absence_is_asked_for(tmp_path):
    path = put(tmp_path / "a.jsonl", lines(qvh(1), qvh(2, windows=())))
    assert [p.what for p in read_annotations(path).problems] == ["no window"]
    absent = read_annotations(path, with_absent=True).checked()[1]
    assert (absent.qid, absent.windows) == (2, ())
    own = put(tmp_path / "own.jsonl", lines({"video": "a", "query": "a dog", "windows": []}))
    assert read_annotations(own, with_absent=True).checked()[0].windows == ()


def test_every_bad_row_is_named_with_its_line(tmp_path):
    path = put(
        tmp_path / "bad.jsonl",
        lines(
            qvh(1),
            qvh(1),
            qvh(2, windows=((20, 10),)),
            qvh(3, windows=((10, 400),)),
            qvh(4, vid="gone"),
            qvh(5, query=" "),
            qvh(6, windows=()),
            {"qid": 7},
            qvh(8, saliency_scores=[[1, 1, 1]]),
            qvh(9, windows=((-1, 3),)),
            qvh(10, duration=0),
        )
        + "not json\n[]\n",
    )
    read = read_annotations(path, known_videos={"a_0.0_150.0"})
    said = {problem.line: problem.what for problem in read.problems}
    assert [record.qid for record in read.records] == [1]
    assert "duplicate id" in said[2]
    assert "not after start" in said[3]
    assert "past the duration" in said[4]
    assert "missing video 'gone'" in said[5]
    assert "empty query" in said[6]
    assert "no window" in said[7]
    assert "vid" in said[8]
    assert "2 rated clips but 1 ratings" in said[9]
    assert "negative" in said[10]
    assert "duration" in said[11]
    assert "not JSON" in said[12]
    assert "not a JSON object" in said[13]
    with pytest.raises(UsageError, match=r"bad\.jsonl:3: end 10 is not after start 20"):
        read.checked()


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.jsonl", lines(qvh(1, query=None)), "a.jsonl:1: the query is None, not text"),
        ("a.jsonl", lines(qvh([1])), "id [1] is neither a number nor text"),
        ("a.jsonl", lines(qvh("../x")), "cannot be part of a file's name"),
        ("a.jsonl", lines(qvh(1, duration="long")), "duration is 'long', not a number"),
        ("a.jsonl", lines(qvh(1, relevant_windows=5)), "5 are not a list of [start, end]"),
        ("a.jsonl", lines(qvh(1, saliency_scores=[[1, 2], [3, 4]])), "3 numbers for each"),
        ("a.jsonl", lines(qvh(1, relevant_clip_ids=[-1, 2])), "rated clip -1 is negative"),
        ("a.csv", "video,query,start_s,end_s\nv,a dog,1\n", "a.csv:2: end_s is missing"),
        ("a.json", "[]", "not a JSON object with an entry for each video"),
        ("a.json", '{"v": 3}', "not a JSON object with timestamps"),
        (
            "a.json",
            '{"v": {"duration": 3, "timestamps": [[1, 2]], "sentences": []}}',
            "1 timestamps for 0 sentences",
        ),
        (
            "a.json",
            '{"v": {"fps": 0, "timestamps": [], "sentences": [], "num_frames": 3}}',
            "fps 0 is not above 0",
        ),
        ("a.csv", "id,actions,length\nv,c092 1,30\n", "'c092 1' is not CODE START END"),
    ],
)
def test_a_row_that_makes_no_sense_is_told_in_words(tmp_path, name, text, said):
    classes = put(tmp_path / "classes.txt", "c092 Opening a window\n")
    with pytest.raises(UsageError) as refused:
        read_annotations(put(tmp_path / name, text), classes=classes).checked()
    assert said in str(refused.value)
    assert "\n" not in refused.value.message


def test_files_that_are_no_text_are_named(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match=r"a\.jsonl: it is not UTF-8 text"):
        read_annotations(tmp_path / "a.jsonl")
    with pytest.raises(UsageError, match=r"class list .*a\.jsonl: it is not UTF-8 text"):
        read_annotations(
            put(tmp_path / "c.csv", "id,actions,length\n"), classes=tmp_path / "a.jsonl"
        )


def test_an_end_barely_past_the_duration_is_cut(tmp_path):
    path = put(tmp_path / "a.jsonl", lines(qvh(windows=((140, 150.4),))))
    assert read_annotations(path).checked()[0].windows == ((140, 150),)


def test_charades_sta(tmp_path):
    path = put(
        tmp_path / "charades_sta.txt",
        "AO8RW 0.0 6.9##a person is putting a book on a shelf.\n"
        "AO8RW 8.0 6.9##backwards.\n"
        "nonsense\n"
        "3MSZA 24.3 30.4##person turn a light on.\n",
    )
    read = read_annotations(path, durations_s={"AO8RW": 33.7})
    assert [r.video for r in read.records] == ["AO8RW", "3MSZA"]
    assert read.records[0].windows == ((0.0, 6.9),)
    assert read.records[0].duration_s == 33.7
    assert read.records[1].duration_s is None
    assert [problem.line for problem in read.problems] == [2, 3]


def test_activitynet_captions(tmp_path):
    path = put(
        tmp_path / "val_1.json",
        json.dumps(
            {
                "v_abc": {
                    "duration": 82.73,
                    "timestamps": [[0.83, 19.86], [17.37, 8.0]],
                    "sentences": [" A young woman ", "backwards"],
                },
                "v_def": {"duration": 10.0, "timestamps": [[1, 2]], "sentences": ["one", "two"]},
            },
            indent=1,
        ),
    )
    read = read_annotations(path)
    assert [(r.video, r.query, r.windows) for r in read.records] == [
        ("v_abc", "A young woman", ((0.83, 19.86),))
    ]
    assert [problem.line for problem in read.problems] == [2, 19]


def test_tacos_counts_frames(tmp_path):
    path = put(
        tmp_path / "train.json",
        json.dumps(
            {
                "s13-d21.avi": {
                    "timestamps": [[147, 294]],
                    "sentences": ["He took out a cutting board"],
                    "fps": 29.4,
                    "num_frames": 2940,
                }
            }
        ),
    )
    (record,) = read_annotations(path).checked()
    assert record.video == "s13-d21"
    assert record.windows[0] == pytest.approx((5.0, 10.0))
    assert record.duration_s == pytest.approx(100.0)


def test_charades_with_action_codes(tmp_path):
    classes = put(tmp_path / "classes.txt", "c092 Holding a box\nc147 Sitting in a chair\n")
    path = put(
        tmp_path / "Charades_v1_train.csv",
        "id,script,actions,length\n"
        'YSKX3,"He sits, then stands.",c092 11.90 21.20;c147 0.00 12.60;c092 1.0 2.0,30.5\n'
        "NONE1,nothing,,12.0\n"
        "BAD01,odd,c999 1 2,12.0\n"
        "BAD02,odd,c092 5,12.0\n",
    )
    read = read_annotations(path, classes=classes)
    got = {record.qid: record for record in read.records}
    assert got["YSKX3-c092"].windows == ((1.0, 2.0), (11.9, 21.2))
    assert got["YSKX3-c092"].query == "Holding a box"
    assert got["YSKX3-c147"].duration_s == 30.5
    assert {problem.line for problem in read.problems} == {4, 5}
    with pytest.raises(UsageError, match="by codes"):
        read_annotations(path)


def test_our_own_csv_joins_windows_of_one_sentence(tmp_path):
    path = put(
        tmp_path / "mine.csv",
        "video,query,start_s,end_s,duration_s\n"
        "clips/a.mp4,a dog runs,10,20,60\n"
        "clips/a.mp4,a dog runs,2,4,60\n"
        "clips/b.mp4,a cat sleeps,x,4,60\n"
        'clips/b.mp4,"a cat, asleep",1,4,\n',
    )
    read = read_annotations(path)
    assert [(r.video, r.windows, r.duration_s) for r in read.records] == [
        ("a", ((2.0, 4.0), (10.0, 20.0)), 60.0),
        ("b", ((1.0, 4.0),), None),
    ]
    assert [str(problem) for problem in read.problems] == [
        f"{tmp_path}/mine.csv:4: start_s is 'x', not a number"
    ]


@pytest.mark.parametrize(
    ("first_line", "missing", "found"),
    [
        (
            "video,sentence,start",
            "the columns query, start_s, end_s",
            "'video', 'sentence', 'start'",
        ),
        ("video;query;start_s;end_s", "the columns video, query,", "'video;query;start_s;end_s'"),
        ("video,query,start_s,end", "the column end_s", "'end'"),
        ("", "the columns video", "nothing"),
    ],
)
def test_all_missing_columns_are_named_at_once(tmp_path, first_line, missing, found):
    path = put(tmp_path / "m1.csv", f"{first_line}\na,a dog runs,1,2\n")
    with pytest.raises(UsageError) as raised:
        read_annotations(path)
    assert missing in raised.value.message
    names, needed = raised.value.details
    assert found in names
    assert "video, query, start_s, end_s; duration_s" in needed


def test_all_missing_keys_of_a_row_are_named_at_once(tmp_path):
    path = put(tmp_path / "mine.jsonl", lines({"video": "a", "start": 1, "end": 2}))
    (problem,) = read_annotations(path).problems
    assert problem.what == "no query, start_s, end_s; the row has 'video', 'start', 'end'"


def test_the_list_that_the_readme_shows_is_read(tmp_path):
    readme = Path(__file__).parents[3] / "README.md"
    (example,) = re.findall(r"```csv\n(video,.*?)```", readme.read_text("utf-8"), re.DOTALL)
    (record,) = read_annotations(put(tmp_path / "marked.csv", example)).checked()
    assert (record.video, record.duration_s) == ("kitchen", 240.0)
    assert record.windows == ((12.5, 19.0), (101.0, 108.2))


def test_our_own_jsonl(tmp_path):
    path = put(
        tmp_path / "mine.jsonl",
        lines(
            {"video": "a.mp4", "query": "a dog runs", "start_s": 1, "end_s": 2},
            {"video": "a.mp4", "query": "a cat", "windows": [[1, 2], [4, 5]], "split": "val"},
        ),
    )
    first, second = read_annotations(path).checked()
    assert (first.qid, first.windows) == (1, ((1.0, 2.0),))
    assert (second.qid, second.split) == (2, "val")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.jsonl", lines(qvh(1, windows=()))),
        ("own.jsonl", lines({"video": "a.mp4", "query": "a dog runs", "windows": []})),
        (
            "own.jsonl",
            lines({"video": "a.mp4", "query": "a dog runs", "start_s": None, "end_s": None}),
        ),
        ("own.csv", "video,query,start_s,end_s\na.mp4,a dog runs,,\n"),
    ],
)
def test_what_is_absent_is_read_where_it_is_asked_for(tmp_path, name, text):
    path = put(tmp_path / name, text)
    (record,) = read_annotations(path, with_absent=True).checked()
    assert record.windows == ()
    assert record.official()["relevant_windows"] == []
    with pytest.raises(UsageError, match=f"{name}:[12]: no window"):
        read_annotations(path).checked()


def test_a_row_that_ends_early_or_contradicts_another_says_nothing_about_absence(tmp_path):
    path = put(
        tmp_path / "own.csv",
        "video,query,start_s,end_s\na.mp4,a dog runs\n"
        "b.mp4,a dog runs,1,2\nb.mp4,a dog runs,,\nc.mp4,a dog runs,1,\n",
    )
    read = read_annotations(path, with_absent=True)
    assert not read.records
    assert [problem.line for problem in read.problems] == [2, 3, 5]
    assert "has a moment in one row and none in another" in read.problems[1].what


def test_files_that_cannot_be_told_or_read(tmp_path):
    with pytest.raises(UsageError, match="cannot read"):
        read_annotations(tmp_path / "none.jsonl")
    with pytest.raises(UsageError, match="cannot tell"):
        read_annotations(put(tmp_path / "a.xml", "<a/>"))
    with pytest.raises(UsageError, match="unknown data set"):
        read_annotations(put(tmp_path / "a.jsonl", lines(qvh())), "imagenet")
    with pytest.raises(UsageError, match="no usable row"):
        read_annotations(put(tmp_path / "b.jsonl", "\n"), "own").checked()


def test_video_names():
    assert video_name("clips/a.b.MP4") == "a.b"
    assert video_name("C:\\clips\\a.mkv") == "a"
    assert video_name("RoripwjYFp8_360.0_510.0") == "RoripwjYFp8_360.0_510.0"


@settings(max_examples=40, deadline=None)
@given(st.integers(3, 60), st.integers(0, 5))
def test_no_video_stands_in_two_splits(videos, seed):
    records = [Record(i, f"v{i % videos}", "q", ((0.0, 1.0),)) for i in range(3 * videos)]
    split = split_by_video(records, parse_shares("70/15/15"), seed)
    homes = [{record.video for record in part} for part in split.values()]
    assert sum(map(len, homes)) == videos == len(set.union(*homes))
    assert all(homes)
    assert split == split_by_video(records, parse_shares("70/15/15"), seed)
    shuffled = split_by_video(records[::-1], parse_shares("70/15/15"), seed)
    assert [{r.video for r in part} for part in shuffled.values()] == homes


@pytest.mark.parametrize("text", ["70/15", "a/b/c", "70/15/20", "0/50/50", "110/-5/-5"])
def test_bad_shares_are_refused(text):
    with pytest.raises(UsageError, match="--split"):
        parse_shares(text)


def test_too_few_videos_for_a_split():
    with pytest.raises(UsageError, match="1 videos"):
        split_by_video([Record(1, "a", "q", ((0.0, 1.0),))], (0.7, 0.15, 0.15), 0)


@pytest.fixture
def folders(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("clip", "slow", "text"):
        (tmp_path / name).mkdir()
    for video in "ab":
        np.savez(tmp_path / "clip" / f"{video}.npz", features=rng.normal(size=(75, 6)))
        np.savez(tmp_path / "slow" / f"{video}.npz", features=rng.normal(size=(74, 10)))
    for qid in (1, 2):
        np.savez(
            tmp_path / "text" / f"qid{qid}.npz",
            last_hidden_state=rng.normal(size=(4 + qid, 8)).astype(np.float16),
            pooler_output=rng.normal(size=8).astype(np.float16),
        )
    return tmp_path


def test_several_feature_folders_are_joined(folders):
    features = FeatureFolders([folders / "clip", folders / "slow"], folders / "text")
    frames = features.video("a")
    assert frames.shape == (74, 16)
    np.testing.assert_allclose(np.linalg.norm(frames, axis=1), 1.0, atol=2e-3)
    # Both folders weigh the same, however many channels each has.
    np.testing.assert_allclose(np.linalg.norm(frames[:, :6], axis=1), 0.5**0.5, atol=2e-3)
    tokens, pooled = features.sentence(2)
    assert tokens.shape == (6, 8)
    assert np.linalg.norm(pooled) == pytest.approx(1.0, abs=2e-3)
    assert features.missing(["a", "z", "b", "z"]) == ["z"]
    assert features.has_sentence(1)
    assert not features.has_sentence(3)


def test_bad_features_are_named(folders):
    features = FeatureFolders([folders / "clip"], folders / "text")
    with pytest.raises(UsageError, match=r"z\.npy"):
        features.video("z")
    put(folders / "clip" / "z.npz", "junk")
    with pytest.raises(UsageError, match="damaged"):
        features.video("z")
    np.savez(folders / "clip" / "y.npz", features=np.array([[np.nan, 1.0]]))
    with pytest.raises(UsageError, match="finite"):
        features.video("y")
    with pytest.raises(UsageError, match="no feature folder"):
        FeatureFolders([folders / "none"], folders / "text")


def test_features_of_two_models_are_refused(folders):
    features = FeatureFolders([folders / "clip"], folders / "text")
    np.savez(folders / "clip" / "z.npz", features=np.ones((3, 5)))
    features.video("a")
    with pytest.raises(UsageError, match=r"z\.npz has 5 channels, but .*a\.npz has 6"):
        features.video("z")


@pytest.mark.parametrize("pooled", [np.full(8, np.nan), np.ones(7), np.ones((2, 8))])
def test_a_sentence_that_fits_no_frame_is_refused(folders, pooled):
    np.savez(folders / "text" / "qid3.npz", last_hidden_state=np.ones((4, 8)), pooler_output=pooled)
    with pytest.raises(UsageError, match=r"qid3\.npz holds no finite 'pooler_output'"):
        FeatureFolders([folders / "clip"], folders / "text").sentence(3)


def test_the_spacing_of_features_is_told_from_the_duration():
    assert step_seconds(75, 150.0) == 2.0
    assert step_seconds(150, 150.0) == 1.0
    assert step_seconds(31, 30.2) == 1.0
    assert step_seconds(600, 150.0) == 0.25


def test_ratings_become_frame_saliency():
    record = Record(1, "a", "q", ((10, 14),), 20.0, (5, 6), ((4, 4, 4), (0, 2, 1)))
    np.testing.assert_allclose(frame_saliency(record, 20, 1.0)[9:15], [0, 1, 1, 0.25, 0.25, 0])
    plain = Record(1, "a", "q", ((10, 14),), 20.0)
    assert frame_saliency(plain, 10, 2.0).tolist() == [0, 0, 0, 0, 0, 1, 1, 0, 0, 0]


def records():
    return [
        Record(1, "a", "a dog", ((10.0, 20.0), (100.0, 150.0)), 150.0),
        Record(2, "b", "a cat", ((0.0, 6.0),), 150.0),
    ]


def test_samples_carry_every_window_in_frame_edges(folders):
    features = FeatureFolders([folders / "clip"], folders / "text")
    batch = collate([MomentDataset(records(), features, 150.0)[i] for i in (0, 1)])
    assert batch.step_s == 2.0
    assert batch.spans.tolist() == [[[5, 10], [50, 75]], [[0, 3], [0, 0]]]
    assert batch.span_mask.tolist() == [[True, True], [True, False]]
    assert batch.present.all()


def test_samples_of_an_epoch_are_always_the_same(folders):
    features = FeatureFolders([folders / "clip"], folders / "text")
    config = AugmentConfig(background=1.0, roll=1.0, absent=0.5)
    once = MomentDataset(records(), features, 150.0, config, seed=3)
    again = MomentDataset(records(), features, 150.0, config, seed=3)
    for epoch in range(3):
        once.redraw(epoch)
        again.redraw(epoch)
        for i in (1, 0):
            np.testing.assert_array_equal(once[i].frames, again[i].frames)
    first = once[0].frames
    once.redraw(0)
    assert not np.array_equal(once[0].frames, first)


def test_long_videos_are_cropped_around_a_moment(folders):
    features = FeatureFolders([folders / "clip"], folders / "text")
    data = MomentDataset(records(), features, 60.0, AugmentConfig(0, 0, 0, 0))
    for epoch in range(10):
        data.redraw(epoch)
        sample = data[0]
        assert len(sample.frames) == 30
        assert sample.edges
        assert all(0 <= s < e <= 30 for s, e in sample.edges)


def test_batches_of_mixed_sampling_rates_are_refused(folders):
    features = FeatureFolders([folders / "clip"], folders / "text")
    rows = [records()[0], Record(2, "b", "a cat", ((0.0, 6.0),), 75.0)]
    data = MomentDataset(rows, features, 150.0)
    assert data.by_step() == [[1], [0]]
    with pytest.raises(ValueError, match="sampling rates"):
        collate([data[0], data[1]])
