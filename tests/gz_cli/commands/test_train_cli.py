"""``gz train``, ``gz eval`` and ``gz find --grounder`` as a script meets them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from media_factory import colour_video
from moment_world import write_world
from tiny_siglip import make_model

GZ = str(Path(sys.executable).parent / "gz")


def gz(*arguments, cwd, code=0, **env):
    ran = subprocess.run(
        [GZ, *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        timeout=300,
        check=False,
        env={
            "PATH": "/usr/bin:/bin",
            "HOME": str(cwd),
            "GZ_LIBRARY": str(cwd / "library"),
            "HF_HUB_OFFLINE": "1",
            "OMP_NUM_THREADS": "1",
            **env,
        },
    )
    assert ran.returncode == code, ran.stderr
    assert "Traceback" not in ran.stderr
    return ran


def rows(text):
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with features and a model trained on them from the command line."""
    folder = tmp_path_factory.mktemp("cli")
    write_world(folder, "train", 24, 0)
    write_world(folder, "val", 8, 1000)
    ran = gz(
        "train", "--annotations", "train.jsonl", "--val", "val.jsonl", "--features", "video",
        "--text-features", "text", "--out", "run", "--preset", "small", "--epochs", "2",
        "--batch-size", "8", "--device", "cpu", "--json",
        cwd=folder,
    )  # fmt: skip
    return folder, rows(ran.stdout)


def test_training_reports_epochs_and_leaves_a_model_folder(trained):
    folder, printed = trained
    assert [row["type"] for row in printed] == ["epoch", "epoch", "train"]
    assert printed[0]["metrics"].keys() >= {"MR-full-R1@0.5", "HL-min-VeryGood-mAP"}
    assert printed[-1]["grounder"] == "run"
    assert (folder / "run" / "model.safetensors").is_file()
    assert json.loads((folder / "run" / "config.json").read_text())["kind"] == "groundzero-grounder"
    assert list((folder / "run" / "training" / "tensorboard").iterdir())
    assert not list(folder.rglob("*.pt"))
    assert (
        "![Loss and validation while training](training.svg)"
        in (folder / "run" / "README.md").read_text()
    )
    picture = ElementTree.parse(folder / "run" / "training.svg").getroot()
    texts = {text.text for text in picture.iter("{http://www.w3.org/2000/svg}text")}
    assert {"epoch", "training loss", "R1@0.5", "R1@0.7", "mAP"} <= texts


def test_evaluating_a_model_prints_the_official_keys(trained):
    folder, printed = trained
    ran = gz(
        "eval", "--grounder", "run", "--annotations", "val.jsonl", "--features", "video",
        "--text-features", "text", "--json", "--report", "page",
        "--write-predictions", "pred.jsonl", "--device", "cpu",
        cwd=folder,
    )  # fmt: skip
    (report,) = rows(ran.stdout)
    assert report["brief"] == printed[-1]["metrics"]
    assert report["full"]["MR-R1"]["0.5"] == report["brief"]["MR-full-R1@0.5"]
    assert 0 <= report["groundzero"]["presence"]["auroc"] <= 1
    page = (folder / "page" / "index.html").read_text()
    assert page.count("<figure>") >= 8
    assert "thing 1000 happens" in page
    assert "http" not in page
    again = gz(
        "eval", "--predictions", "pred.jsonl", "--annotations", "val.jsonl", "--json", cwd=folder
    )
    (scored,) = rows(again.stdout)
    assert scored["brief"] == report["brief"]
    shown = gz("eval", "--predictions", "pred.jsonl", "--annotations", "val.jsonl", cwd=folder)
    assert "MR-full-R1@0.7" in shown.stdout


@pytest.fixture(scope="module")
def with_absent(trained):
    """The same queries; the first two ask for what is not there, the third for two moments."""
    folder, _ = trained
    asked = rows((folder / "val.jsonl").read_text())
    for row in asked[:2]:
        row["relevant_windows"] = row["relevant_clip_ids"] = row["saliency_scores"] = []
    asked[2]["relevant_windows"] = [[0, 4], [20, 30]]
    (folder / "absent.jsonl").write_text("".join(json.dumps(row) + "\n" for row in asked))
    (folder / "present.jsonl").write_text("".join(json.dumps(row) + "\n" for row in asked[2:]))
    return folder


FEATURES = ("--features", "video", "--text-features", "text", "--device", "cpu")


def test_queries_without_a_moment_are_measured_and_change_no_official_number(with_absent):
    folder = with_absent
    ask = ("eval", "--grounder", "run", *FEATURES, "--annotations")
    wrote = ("--write-predictions", "said.jsonl", "--report", "absent")
    (seen,) = rows(gz(*ask, "absent.jsonl", "--json", *wrote, cwd=folder).stdout)
    (without,) = rows(gz(*ask, "present.jsonl", "--json", cwd=folder).stdout)
    assert seen["brief"] == without["brief"]
    assert seen["brief"].keys() >= {"MR-full-mAP", "HL-min-VeryGood-mAP"}
    for key in ("presence", "confidence", "retrieval", "R5@0.5", "by_window_count"):
        assert seen["groundzero"][key] == without["groundzero"][key]
    several = seen["groundzero"]["several_moments"]
    assert several["queries"] == {"none": 2, "one": 5, "several": 1}
    assert several["multi_moment"] == without["groundzero"]["several_moments"]["multi_moment"]
    assert several["generalised"].keys() >= {"AUROC", "Rej-F1", "mR+@5", "G-mIoU@3"}
    assert "Rej-F1" not in without["groundzero"]["several_moments"]["generalised"]
    said = rows((folder / "said.jsonl").read_text())
    assert all(0 <= row["pred_presence"] <= 1 for row in said)
    assert "Queries: 2 without a moment" in (folder / "absent" / "index.html").read_text()
    score = ("eval", "--predictions", "said.jsonl", "--annotations", "absent.jsonl")
    (again,) = rows(gz(*score, "--json", cwd=folder).stdout)
    assert again["groundzero"]["several_moments"] == several
    shown = gz(*score, cwd=folder).stdout
    assert "Queries: 2 without a moment, 5 with one, 1 with several." in shown
    assert f"{several['generalised']['Rej-F1']:6.2f}  Rej-F1" in shown


def test_without_training_and_without_any_moment_there_is_an_answer_too(with_absent):
    folder = with_absent
    free = ("eval", "--grounder", "training-free", *FEATURES, "--json", "--annotations")
    (seen,) = rows(gz(*free, "absent.jsonl", cwd=folder).stdout)
    assert seen["groundzero"]["several_moments"]["queries"]["none"] == 2
    (folder / "nowhere.jsonl").write_text(
        "".join((folder / "absent.jsonl").read_text().splitlines(keepends=True)[:2])
    )
    ask = ("eval", "--grounder", "run", *FEATURES, "--annotations", "nowhere.jsonl")
    (seen,) = rows(gz(*ask, "--json", "--report", "nothing", cwd=folder).stdout)
    assert seen["brief"] == {}
    assert seen["groundzero"].keys() == {"several_moments"}
    assert "G-mIoU@1" in gz(*ask, cwd=folder).stdout


def test_training_refuses_queries_without_a_moment(with_absent):
    learn = ("train", "--val", "val.jsonl", "--out", "x", *FEATURES, "--annotations")
    refused = gz(*learn, "absent.jsonl", cwd=with_absent, code=2)
    assert "absent.jsonl:1: no window" in refused.stderr


def test_a_training_measures_its_calibration_on_what_it_was_not_fitted_on(trained):
    folder, printed = trained
    presence = printed[-1]["presence"]
    ran = gz("eval", "--grounder", "run", *FEATURES, "--annotations", "val.jsonl", "--json",
             cwd=folder)  # fmt: skip
    (report,) = rows(ran.stdout)
    assert report["groundzero"]["presence"]["ece"] == pytest.approx(presence["ece"], abs=1e-3)
    said = (folder / "run" / "README.md").read_text()
    assert f"{100 * presence['ece']:.1f} points from the observed frequency" in said
    assert report["groundzero"]["retrieval"]["queries"] == 8


def test_without_matplotlib_only_the_report_is_refused_and_before_the_work(trained, tmp_path):
    folder, _ = trained
    (tmp_path / "matplotlib.py").write_text("raise ImportError('not here')\n")
    scored = ("eval", "--predictions", "answers.jsonl", "--annotations", "val.jsonl")
    answers = [{"qid": r["qid"], "pred_relevant_windows": [[0, 9, 1]]}
               for r in rows((folder / "val.jsonl").read_text())]  # fmt: skip
    (folder / "answers.jsonl").write_text("".join(json.dumps(row) + "\n" for row in answers))
    refused = gz(*scored, "--report", "none", cwd=folder, code=2, PYTHONPATH=str(tmp_path))
    assert refused.stderr.splitlines() == [
        "error: Figures are drawn by matplotlib, which is not installed.",
        "  Install it with: pip install 'groundzero-video[report]'",
    ]
    assert not refused.stdout
    assert not (folder / "none").exists()
    gz(*scored, cwd=folder, PYTHONPATH=str(tmp_path))


def test_wrong_requests_are_refused_in_a_line(trained):
    folder, _ = trained
    (folder / "bad.jsonl").write_text('{"qid": 1, "pred_relevant_windows": [[1]]}\n')
    (folder / "taken").mkdir(exist_ok=True)
    (folder / "taken" / "holiday.mp4").touch()
    features = ("--features", "video", "--text-features", "text")
    scored = ("eval", "--annotations", "val.jsonl")
    split = ("train", "--annotations", "train.jsonl", "--split", "70/15/15")
    learn = (*split, "--out", "x", *features)
    for arguments, said in (
        (scored, "--predictions"),
        ((*scored, "--predictions", "bad.jsonl"), "bad.jsonl:1"),
        ((*scored, "--predictions", "bad.jsonl", "--report", "val.jsonl"), "is a file"),
        (("train", "--annotations", "train.jsonl", "--out", "x", *features), "--val"),
        (("train", "--annotations", "x", "--out", "x", "--split", "70/15/15"), "--videos"),
        (("train", "--annotations", "none.jsonl", *learn[3:]), "none.jsonl"),
        ((*learn, "--device", "tpu"), "no device 'tpu'"),
        ((*learn, "--metric", "best"), "no metric 'best'"),
        ((*learn, "--use"), "--use needs --videos or --backbone"),
        ((*split, "--out", "x", "--videos", ".", "--backbone", "demo"), "belongs to --features"),
        ((*split, "--out", "taken", *features), "holds other things already: holiday.mp4"),
    ):
        ran = gz(*arguments, cwd=folder, code=2)
        assert said in ran.stderr
        assert len(ran.stderr.splitlines()) <= 3
    assert not (folder / "x" / "training").exists()


def test_a_model_is_asked_only_with_features_that_it_can_read(trained):
    folder, _ = trained
    (folder / "narrow").mkdir(exist_ok=True)
    for path in (folder / "video").glob("v100*.npz"):
        np.savez(folder / "narrow" / path.name, features=np.load(path)["features"][:, :5])
    asked = ("--annotations", "val.jsonl", "--features", "narrow", "--text-features", "text")
    refused = gz("eval", "--grounder", "run", *asked, cwd=folder, code=7)
    assert "trained on frames of 12" in refused.stderr
    refused = gz("eval", "--grounder", "training-free", *asked, cwd=folder, code=2)
    assert "Frames have 5 channels and sentences 12" in refused.stderr


def test_a_report_needs_no_length_of_the_videos(trained):
    folder, _ = trained
    own = [
        {"video": row["vid"], "query": row["query"], "start_s": 1, "end_s": 5, "qid": row["qid"]}
        for row in rows((folder / "val.jsonl").read_text())
    ]
    (folder / "own.jsonl").write_text("".join(json.dumps(row) + "\n" for row in own))
    (folder / "guess.jsonl").write_text(
        "".join(
            json.dumps({"qid": row["qid"], "pred_relevant_windows": [[0, 5]]}) + "\n" for row in own
        )
    )
    for number, source in enumerate(
        (
            ("--predictions", "guess.jsonl"),
            ("--grounder", "training-free", "--features", "video", "--text-features", "text"),
        )
    ):
        gz("eval", "--annotations", "own.jsonl", *source, "--report", f"own{number}", cwd=folder)
        assert "<figure>" in (folder / f"own{number}" / "index.html").read_text()


def test_a_bad_row_stops_unless_it_is_left_out(trained):
    folder, _ = trained
    text = (folder / "val.jsonl").read_text()
    (folder / "odd.jsonl").write_text(text + '{"qid": 5}\n')
    scored = ("--predictions", "pred.jsonl", "--annotations", "odd.jsonl", "--json")
    (folder / "pred.jsonl").write_text(
        "".join(
            json.dumps({"qid": row["qid"], "pred_relevant_windows": [[0, 10, 1]]}) + "\n"
            for row in rows(text)
        )
    )
    said = gz(
        "eval", "--predictions", "pred.jsonl", "--annotations", "odd.jsonl", cwd=folder, code=2
    ).stderr
    assert said.splitlines() == [
        "error: 1 bad row in odd.jsonl.",
        "  odd.jsonl:9: no query, vid, duration, relevant_windows; the row has 'qid'",
        "  Mend it, or leave it out with --skip-bad-rows.",
    ]
    assert "odd.jsonl:9" in gz("eval", *scored, "--skip-bad-rows", cwd=folder).stderr


def test_two_processes_train_one_model(trained):
    folder, _ = trained
    ran = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "--no-python",
         "--master_port", "0", "--standalone", GZ, "train", "--annotations", "train.jsonl",
         "--val", "val.jsonl", "--features", "video", "--text-features", "text", "--out", "two",
         "--preset", "small", "--set", "shape.width=32", "--epochs", "1", "--batch-size", "4",
         "--device", "cpu", "--json"],
        capture_output=True, text=True, cwd=folder, timeout=300, check=False,
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert [row["type"] for row in rows(ran.stdout)] == ["epoch", "train"]
    assert (folder / "two" / "model.safetensors").is_file()


def test_training_from_videos_serves_gz_find(tmp_path):
    """From clips that a person marked to a search with the model trained on them."""
    make_model(tmp_path / "tiny")
    videos = tmp_path / "videos"
    videos.mkdir()
    lines = ["video,query,start_s,end_s,duration_s"]
    for number, (first, second) in enumerate(
        [("red", "blue"), ("green", "red"), ("blue", "yellow"), ("yellow", "green")]
    ):
        colour_video(videos / f"v{number}.mp4", [(first, 4.0), (second, 4.0)], fps=8)
        lines += [f"v{number}.mp4,{first} thing,0,4,8", f"v{number}.mp4,{second} thing,4,8,8"]
    (tmp_path / "mine.csv").write_text("\n".join(lines) + "\n")
    gz("index", "videos", "--model", "tiny", "--device", "cpu", cwd=tmp_path)
    # Nobody names a model: it is the library's, whatever this machine would choose.
    training = (
        "train", "--annotations", "mine.csv", "--split", "50/50/0", "--videos", "videos",
        "--out", "run", "--preset", "small", "--epochs", "1",
        "--set", "shape.width=32", "--device", "cpu",
    )  # fmt: skip
    assert "uses run" in gz(*training, "--use", cwd=tmp_path).stderr
    found = gz("find", "red thing", "--threshold", "0", "--device", "cpu", "--json", cwd=tmp_path)
    (result,) = rows(found.stdout)
    assert result["localizer"] == "run"
    assert result["hits"]
    carried = tmp_path / "tiny" / "grounder"
    carried.mkdir()
    for name in ("config.json", "model.safetensors"):
        shutil.copy(tmp_path / "run" / name, carried)
    (tmp_path / "library" / "grounder.json").unlink()
    found = gz("find", "red thing", "--threshold", "0", "--device", "cpu", "--json", cwd=tmp_path)
    assert rows(found.stdout)[0]["localizer"] == "run"
    shutil.rmtree(carried)
    found = gz("find", "red thing", "--threshold", "0", "--device", "cpu", "--json", cwd=tmp_path)
    assert rows(found.stdout)[0]["localizer"] == "training-free"
    part = (tmp_path / "run" / "split" / "val.jsonl").read_text()
    assert {row["qid"].partition("-")[0] for row in rows(part)} == {"val"}
    gz(
        "eval", "--grounder", "run", "--annotations", "run/split/val.jsonl", "--features",
        "run/features/video", "--text-features", "run/features/text", cwd=tmp_path,
    )  # fmt: skip
    adapted = gz(*training, "--lora", "1", cwd=tmp_path)
    assert "gz index --adapter run/adapter" in adapted.stderr
    refused = gz("find", "red thing", "--grounder", "run", "--device", "cpu", cwd=tmp_path, code=7)
    assert "was trained on" in refused.stderr
    carried.mkdir()
    for name in ("config.json", "model.safetensors"):
        shutil.copy(tmp_path / "run" / name, carried)
    found = gz("find", "red thing", "--threshold", "0", "--device", "cpu", "--json", cwd=tmp_path)
    assert "The grounding that the model brings along is not used" in found.stderr
    assert rows(found.stdout)[0]["localizer"] == "training-free"


def test_what_the_library_cannot_use_is_refused_before_anything_is_made(tmp_path):
    make_model(tmp_path / "tiny")
    make_model(tmp_path / "other", seed=1)
    (tmp_path / "videos").mkdir()
    colour_video(tmp_path / "videos" / "v0.mp4", [("red", 2.0)], fps=8)
    (tmp_path / "mine.csv").write_text("video,query,start_s,end_s\nv0.mp4,red,0,1\n")
    (tmp_path / "strange.csv").write_text("video,query,start_s,end_s\nholiday.mp4,red,0,1\n")
    training = (
        "train", "--annotations", "mine.csv", "--val", "mine.csv", "--videos", "videos",
        "--out", "run", "--device", "cpu",
    )  # fmt: skip
    refused = gz(*training, "--model", "tiny", "--use", cwd=tmp_path, code=4)
    assert "--use needs a library" in refused.stderr
    gz("index", "videos", "--model", "tiny", "--device", "cpu", cwd=tmp_path)
    refused = gz(*training, "--model", "other", "--use", cwd=tmp_path, code=7)
    message = " ".join(refused.stderr.split())
    assert "--use needs the library's own model" in message
    assert message.count("local folder@") == 2
    assert "gz index --rebuild --model" in message
    refused = gz(*training, "--lora", "1", "--use", cwd=tmp_path, code=2)
    assert "--use cannot go with --lora" in refused.stderr
    strange = ("train", "--annotations", "strange.csv", "--val", "strange.csv", *training[5:])
    refused = gz(*strange, cwd=tmp_path, code=2)
    assert "the annotations name holiday" in refused.stderr
    (tmp_path / "videos" / "again").mkdir()
    (tmp_path / "videos" / "again" / "v0.mkv").touch()
    assert "two files are called v0" in gz(*training, cwd=tmp_path, code=2).stderr.lower()
    assert not (tmp_path / "run").exists()


def test_features_whose_backbone_is_named_make_a_model_that_a_search_may_use(tmp_path):
    make_model(tmp_path / "tiny")
    make_model(tmp_path / "other", seed=1)
    (tmp_path / "videos").mkdir()
    colour_video(tmp_path / "videos" / "v0.mp4", [("red", 2.0)], fps=8)
    gz("index", "videos", "--model", "tiny", "--device", "cpu", cwd=tmp_path)
    config = json.loads((tmp_path / "tiny" / "config.json").read_text())
    dim = config["vision_config"]["hidden_size"]
    draw = np.random.default_rng(0)
    rows_ = []
    for number in range(4):
        for kind, width in (("video", dim), ("narrow", dim // 2)):
            (tmp_path / kind).mkdir(exist_ok=True)
            np.savez(tmp_path / kind / f"v{number}.npz", features=draw.normal(size=(12, width)))
        (tmp_path / "text").mkdir(exist_ok=True)
        np.savez(
            tmp_path / "text" / f"qid{number}.npz",
            last_hidden_state=draw.normal(size=(3, dim)), pooler_output=draw.normal(size=dim),
        )  # fmt: skip
        rows_.append({"qid": number, "query": f"thing {number}", "vid": f"v{number}",
                      "duration": 12, "relevant_windows": [[2, 6]]})  # fmt: skip
    (tmp_path / "mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows_))
    training = (
        "train", "--annotations", "mine.jsonl", "--val", "mine.jsonl", "--text-features", "text",
        "--preset", "small", "--epochs", "1", "--device", "cpu",
    )  # fmt: skip
    narrow = (*training, "--features", "narrow", "--out", "no")
    refused = gz(*narrow, "--backbone", "tiny", cwd=tmp_path, code=2)
    assert f"but {tmp_path / 'tiny'} makes {dim}" in " ".join(refused.stderr.split())
    wide = (*training, "--features", "video")
    refused = gz(*wide, "--backbone", "other", "--use", "--out", "no", cwd=tmp_path, code=7)
    assert "--use needs the library's own model" in " ".join(refused.stderr.split())
    gz(*wide, "--backbone", "tiny", "--use", "--out", "run", cwd=tmp_path)
    found = gz("find", "red thing", "--threshold", "0", "--device", "cpu", "--json", cwd=tmp_path)
    assert rows(found.stdout)[0]["localizer"] == "run"


def test_a_model_that_finds_less_than_none_is_kept_and_not_used(tmp_path, monkeypatch):
    from typer.testing import CliRunner

    from gz_cli.app import app
    from model.evaluation import held_out_archive
    from model.training import finishing

    make_model(tmp_path / "tiny")
    (tmp_path / "videos").mkdir()
    colour_video(tmp_path / "videos" / "v0.mp4", [("red", 2.0)], fps=8)
    gz("index", "videos", "--model", "tiny", "--device", "cpu", cwd=tmp_path)
    config = json.loads((tmp_path / "tiny" / "config.json").read_text())
    dim, draw = config["vision_config"]["hidden_size"], np.random.default_rng(0)
    for kind in ("video", "text"):
        (tmp_path / kind).mkdir()
    np.savez(tmp_path / "video" / "v0.npz", features=draw.normal(size=(12, dim)))
    np.savez(
        tmp_path / "text" / "qid0.npz",
        last_hidden_state=draw.normal(size=(3, dim)), pooler_output=draw.normal(size=dim),
    )  # fmt: skip
    row = {"qid": 0, "query": "thing", "vid": "v0", "duration": 12, "relevant_windows": [[2, 6]]}
    (tmp_path / "mine.jsonl").write_text(json.dumps(row) + "\n")
    # So few records are no archive; what one of them would say is put in its place.
    check = held_out_archive.ArchiveCheck(60, 185, 0.5, 0.75, 0.9, worse=True)
    monkeypatch.setattr(finishing, "check_on_archive", lambda *asked: check)
    monkeypatch.chdir(tmp_path)
    ran = CliRunner().invoke(
        app,
        ["train", "--annotations", "mine.jsonl", "--val", "mine.jsonl", "--features", "video",
         "--text-features", "text", "--backbone", "tiny", "--preset", "small", "--epochs", "1",
         "--device", "cpu", "--library", str(tmp_path / "library"), "--out", "run", "--use"],
    )  # fmt: skip
    assert ran.exit_code == 7, ran.output
    said = " ".join(ran.output.split())
    assert "goes on without the new model" in said
    assert "right for 50% of the queries, that of the search without it for 75%" in said
    assert (tmp_path / "run" / "model.safetensors").is_file()
    assert not (tmp_path / "library" / "grounder.json").exists()
