"""The benchmark at the size of a library, on an archive of three small videos."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from index.store.library import Library

BENCHMARKS = Path(__file__).parent / "benchmarks"
WORDS, DIM, SENTENCES, ASKED = 8, 24, 60, 30
TEXTS = {1: "a dog jumps  before the door opens", 2: 'he says "no" then leaves'}
SCORE = """
def score(queries, answers, bar):
    first = [answers[query["qid"]][0]["video"] for query in queries if query["present"]]
    truth = [query["moments"][0]["video"] for query in queries if query["present"]]
    return {"video_1": 100.0 * sum(map(str.__eq__, first, truth)) / len(truth), "bar": bar}
"""


@pytest.fixture
def simulated(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import simulated_archive

    return simulated_archive


def unit(rows):
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """``archive/``, and beside it ``score.py`` and ``text.npz``; and what truly leads between."""
    folder = tmp_path_factory.mktemp("simulated")
    archive = folder / "archive"
    archive.mkdir()
    rng = np.random.default_rng(3)
    counts = rng.integers(3, 9, SENTENCES)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    pooled = unit(rng.normal(size=(SENTENCES, WORDS)) + 0.3)
    tokens = unit(rng.normal(size=(offsets[-1], WORDS)) + 0.3)
    np.savez(
        folder / "text.npz", qid=np.arange(SENTENCES), pooled=pooled, tokens=tokens, offsets=offsets
    )
    words = np.linalg.qr(rng.normal(size=(DIM, WORDS)))[0]
    # Across the words, so that a vector's length does not depend on what is said.
    gap = rng.normal(size=DIM)
    gap = 0.8 * unit(gap - words @ (words.T @ gap))

    def into(rows):
        return unit(unit(rows - pooled.mean(axis=0)) @ words.T + gap)

    asked = rng.permutation(SENTENCES)[:ASKED]
    asked[:2] = [1, 2]
    asked = np.unique(asked)
    spoken = [into(tokens[offsets[k] : offsets[k + 1]]) for k in asked]
    np.savez(
        archive / "sentences.npz",
        qid=asked,
        pooled=into(pooled[asked]).astype(np.float16),
        tokens=np.concatenate(spoken).astype(np.float16),
        offsets=np.cumsum([0, *map(len, spoken)]),
    )
    vectors = unit(0.4 * gap + 0.7 * unit(rng.normal(size=(1300, DIM))))
    lengths = {"v0": 600, "v1": 90, "v2": 610}
    rows = []
    for place, qid in enumerate(asked):
        present = place < 4
        moment = {"video": f"v{(0, 2)[place % 2]}", "start_s": 50.0 + 100 * place}
        moment["end_s"] = moment["start_s"] + 20
        if present:
            first = {"v0": 0, "v2": 690}[moment["video"]] + int(moment["start_s"])
            vectors[first : first + 20] = unit(0.3 * vectors[first] + into(pooled[qid]))
        rows.append(
            {
                "qid": int(qid),
                "query": TEXTS.get(int(qid), f"sentence {qid}"),
                "present": present,
                "moments": [moment] if present else [],
            }
        )
    np.save(archive / "vectors.npy", vectors.astype(np.float16))
    np.savez(archive / "videos.npz", name=list(lengths), frames=list(lengths.values()))
    (archive / "queries.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (archive / "space.json").write_text('{"logit_scale": 109.9, "logit_bias": -15.9, "dim": 24}')
    (folder / "score.py").write_text(SCORE)
    return folder


def bench(world, *options, program="bench_archive.py"):
    ran = subprocess.run(
        [sys.executable, BENCHMARKS / program, world / "archive", *options, "--json"],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def generation_of(library):
    with Library.open_readonly(library) as opened:
        return opened.generation


def test_an_archive_is_written_once_and_asked_whole(world, tmp_path):
    library, answers = tmp_path / "library", tmp_path / "answers.jsonl"
    facts = bench(world, "--answers", answers, "--keep", library, "--text", world / "text.npz")
    rows = [json.loads(line) for line in answers.read_text().splitlines()]
    queries = [json.loads(q) for q in (world / "archive/queries.jsonl").read_text().splitlines()]
    assert [row["qid"] for row in rows] == [query["qid"] for query in queries]
    for row, query in zip(rows[:4], queries, strict=False):
        hit, truth = row["hits"][0], query["moments"][0]
        assert set(hit) == {"video", "start_s", "end_s", "presence"}
        assert hit["video"] == truth["video"]
        assert hit["start_s"] == pytest.approx(truth["start_s"], abs=2)
        assert hit["end_s"] == pytest.approx(truth["end_s"], abs=2)
    # Two of the queries have an order in them, and no part of them is a sentence of the archive.
    assert facts["asked_as_one_whole"] == 2
    assert facts["score"] == {"video_1": 100.0, "bar": 0.5}
    assert facts["hours"] == pytest.approx(1300 / 3600)
    assert facts["localizer"] == "training-free"
    assert facts["language_agrees"] > 0.999
    generation = generation_of(library)
    again = tmp_path / "again.jsonl"
    some = bench(world, "--answers", again, "--keep", library, "--queries", "3")
    assert generation_of(library) == generation
    assert some["queries"] == 3
    asked = {json.loads(line)["qid"]: line for line in answers.read_text().splitlines()}
    assert all(asked[json.loads(line)["qid"]] == line for line in again.read_text().splitlines())


def test_a_grounder_of_features_without_a_space_is_asked(world, tmp_path):
    from model.grounding.checkpoint import Checkpoint, save_checkpoint
    from model.grounding.grounder import Grounder, GrounderConfig

    shape = GrounderConfig(dim=DIM, text_dim=DIM, width=16, heads=2, layers=2, span_width=8)
    save_checkpoint(tmp_path / "grounder", Checkpoint(Grounder(shape), name="tiny"))
    before = sorted((tmp_path / "grounder").iterdir())
    facts = bench(
        world, "--answers", tmp_path / "a.jsonl", "--grounder", tmp_path / "grounder",
        "--queries", "2", "--text", world / "text.npz",
    )  # fmt: skip
    assert facts["localizer"] == "tiny"
    assert json.loads((tmp_path / "grounder/config.json").read_text())["space"] is None
    assert sorted((tmp_path / "grounder").iterdir()) == before


def test_what_the_archive_does_not_ask_is_another_sentence_of_its_language(world, simulated):
    archive = simulated.Archive.open(world / "archive")
    encoder = simulated.SimulatedEncoder(archive, world / "text.npz")
    assert simulated.least_agreement(encoder.language, encoder.asked) > 0.999
    for text in ("a bus stops", "somebody waves"):
        sentence = encoder.encode_sentence(text)
        assert sentence.pooled.shape == (DIM,)
        assert np.allclose(np.linalg.norm(sentence.tokens, axis=1), 1, atol=1e-5)
        same = simulated.SimulatedEncoder(archive, world / "text.npz").encode_sentence(text)
        assert np.array_equal(same.pooled, sentence.pooled)
        own = np.stack([rows[0] for rows in encoder.asked.rows.values()])
        assert (own @ sentence.pooled).max() < 0.999
    assert not np.array_equal(
        encoder.encode_sentence("a bus stops").pooled,
        encoder.encode_sentence("somebody waves").pooled,
    )
    for text in TEXTS.values():
        asked = simulated.whole(text)
        assert np.array_equal(
            encoder.encode_sentence(asked).pooled,
            encoder.asked.rows[next(q for q, words in TEXTS.items() if words == text)][0],
        )
    with pytest.raises(RuntimeError, match="--text"):
        simulated.SimulatedEncoder(archive).encode_sentence("a bus stops")
    with pytest.raises(RuntimeError, match="no pictures"):
        encoder.encode_pictures([])


def test_order_is_asked_of_an_archive_in_three_ways(world):
    facts = bench(world, "--text", world / "text.npz", "--each", "4", program="bench_order.py")
    assert facts["queries_right"] == facts["queries_turned"] == 4
    assert facts["queries_apart"] == 6
    assert facts["right_first"] >= 75
    told = ("right_lost", "turned_found", "apart_found", "auroc", "ece")
    assert all(0 <= facts[name] <= 100 for name in told)
