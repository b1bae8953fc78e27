"""The small world: its truth, its files, its language, and the model that learned it."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from index.errors import UsageError
from index.search.query import parse
from index.types import Background, FindRequest, FindResult, Hit, Sentence, Span, Window
from model.datasets.annotations import read_annotations
from model.demo import archive as demo
from model.demo import lessons, vocabulary, world
from model.demo.annotated import make_annotated
from model.demo.captions import KINDS, Event, altered, events_of, holds, sentence, spans, timeline
from model.demo.render import render
from model.demo.training import build_model, loss_of, pixel_values, save, token_ids, train
from model.grounding.presence import PresenceCalibration
from model.grounding.training_free import TrainingFreeLocalizer
from model.siglip.encoder import load_encoder

WEIGHTS = Path(demo.__file__).parent / "weights"


@pytest.fixture(scope="module")
def small_archive(tmp_path_factory: pytest.TempPathFactory) -> demo.DemoArchive:
    return demo.make_archive(tmp_path_factory.mktemp("archive"), seed=5, videos=2)


def _room(seed: int, cast: list[world.Kind], length_s: float = 30.0) -> world.Script:
    scene = world.room_scene(random.Random(seed), 0.0, length_s, "garden", cast)
    return world.Script((scene,))


def test_actors_come_stay_and_go() -> None:
    for seed in range(30):
        states = timeline(_room(seed, [("red", "ball"), ("blue", "box")]))
        for kind in (("red", "ball"), ("blue", "box")):
            (stay,) = spans(Event("present", *kind), states)
            assert 0.3 < stay.start_s < 10
            assert 15 < stay.end_s < 30
        assert not spans(Event("present", "blue", "ball"), states)
        assert not spans(Event("present", "red", "ball", place="kitchen"), states)


def test_nothing_stands_where_it_should_not() -> None:
    for seed in range(60):
        cast = lessons.random_cast(random.Random(seed), 1 + seed % 3)
        for state in timeline(_room(seed, cast)):
            for thing in state.things:
                assert thing.y <= world.HEIGHT
                on_table = holds(Event("table", thing.colour, thing.shape), state)
                if on_table:
                    assert abs(thing.x - state.style.table_x) < world.TABLE_HALF
            if len(state.things) > 1:
                a, b = state.things[:2]
                met = holds(Event("meet", a.colour, a.shape, (b.colour, b.shape)), state)
                turned = holds(Event("meet", b.colour, b.shape, (a.colour, a.shape)), state)
                assert met == turned
                if met:
                    assert abs(a.x - b.x) <= a.radius + b.radius + 2


def test_a_meeting_is_seen_from_start_to_end() -> None:
    cast = [("red", "ball"), ("blue", "box")]
    found = 0
    for seed in range(40):
        states = timeline(_room(seed, cast))
        for met in spans(Event("meet", *cast[0], cast[1]), states):
            found += 1
            assert 3.5 < met.length_s < 12
    assert found > 10


def test_the_lights_go_off_and_on_again() -> None:
    for seed in range(40):
        script = _room(seed, [])
        dark = spans(Event("dark"), timeline(script))
        assert bool(dark) == (script.scenes[0].dark is not None)
        assert all(3 < span.length_s < 9 for span in dark)


def test_what_is_said_of_a_frame_can_be_checked_in_it() -> None:
    rng = random.Random(4)
    true = false = changed = 0
    for _ in range(300):
        scene = lessons.random_scene(rng)
        state = world.state_of(scene, rng.uniform(0.0, scene.end_s))
        event = events_of(state, rng)
        answer = holds(event, state)
        true += answer is True
        false += answer is False
        other = altered(event, rng)
        changed += answer is True and other != event and holds(other, state) is not True
    assert true > 120
    assert false > 15
    assert changed > 100


def test_every_sentence_is_made_of_known_words() -> None:
    tokenizer = vocabulary.build_tokenizer()
    unknown = tokenizer.unk_token_id
    rng = random.Random(9)
    texts = []
    for _ in range(3000):
        scene = lessons.random_scene(rng)
        state = world.state_of(scene, rng.uniform(0.0, scene.end_s))
        texts += [sentence(e, rng) for e in (events_of(state, rng),)]
        texts.append(sentence(altered(events_of(state, rng), rng), rng))
    for text in set(texts):
        ids = tokenizer(text)["input_ids"]
        assert unknown not in ids, text
        assert len(ids) <= vocabulary.MAX_TOKENS, text
        assert parse(text).relation == "single", text
    assert unknown in tokenizer("a dog on the table")["input_ids"]
    assert tokenizer("A red BALL!")["input_ids"] == tokenizer("a red ball")["input_ids"]


def test_every_kind_of_event_can_be_said_in_several_ways() -> None:
    rng = random.Random(2)
    for kind in KINDS:
        event = Event(kind, "red", "ball", ("blue", "box"), "garden", "ocean")
        assert len({sentence(event, rng) for _ in range(60)}) >= 3


def test_pictures_show_their_objects() -> None:
    states = timeline(_room(3, [("red", "ball")]))
    lit = [s for s in states if s.light == 1 and s.things and s.things[0].visible == 1]
    state = lit[len(lit) // 2]
    (thing,) = state.things
    picture = render(state)
    assert picture.shape == (world.HEIGHT, world.WIDTH, 3)
    red, green, blue = picture[round(thing.y - thing.radius), round(thing.x)].tolist()
    assert red > 150
    assert max(green, blue) < 110
    words = [
        render(world.state_of(world.slide_scene(random.Random(1), 0.0, 5.0, word), 1.0))
        for word in world.WORDS
    ]
    for k, one in enumerate(words):
        for other in words[k + 1 :]:
            assert np.abs(one.astype(int) - other.astype(int)).max() > 60


def test_an_archive_is_real_h264_that_shows_its_script(small_archive: demo.DemoArchive) -> None:
    for video in small_archive.videos:
        with av.open(str(video.path)) as container:
            stream = container.streams.video[0]
            assert stream.codec_context.name == "h264"
            assert (stream.width, stream.height) == (world.WIDTH, world.HEIGHT)
            frames = 0
            for frame in container.decode(video=0):
                if frames % 70 == 0:
                    assert frame.time == pytest.approx(frames / world.FPS, abs=1e-3)
                    wanted = render(world.state_at(video.script, frames / world.FPS))
                    shown = frame.to_ndarray(format="rgb24")
                    assert np.abs(shown.astype(float) - wanted).mean() < 6
                frames += 1
        assert frames == round(video.script.duration_s * world.FPS)


def test_the_truth_of_an_archive_holds(small_archive: demo.DemoArchive) -> None:
    lengths = {video.path: video.script.duration_s for video in small_archive.videos}
    kinds = {query.kind for query in small_archive.queries}
    assert kinds == {"plain", "order", "absent"}
    for query in small_archive.queries:
        if query.kind == "absent":
            assert query.path is None
            assert not query.spans
            continue
        assert query.path is not None
        assert query.spans
        assert all(span.end_s <= lengths[query.path] + 1e-6 for span in query.spans)
        assert parse(query.text).relation == ("then" if query.kind == "order" else "single")


def test_order_queries_ask_for_their_first_clause(small_archive: demo.DemoArchive) -> None:
    plain = {q.text: q for q in small_archive.queries if q.kind == "plain"}
    for query in small_archive.queries:
        if query.kind != "order":
            continue
        plan = parse(query.text)
        (asked,) = plan.answer
        assert plain[plan.parts[asked]].spans == query.spans
        first, second = (plain[part] for part in plan.parts)
        assert first.path == second.path == query.path
        assert first.spans[-1].end_s <= second.spans[0].start_s


def test_the_seed_decides_everything(tmp_path: Path, small_archive: demo.DemoArchive) -> None:
    again = demo.make_archive(tmp_path, seed=5, videos=2)
    assert [v.script for v in again.videos] == [v.script for v in small_archive.videos]
    assert [(q.text, q.spans) for q in again.queries] == [
        (q.text, q.spans) for q in small_archive.queries
    ]
    rng = random.Random("archive/6")
    assert demo.make_scripts(rng, 2) != [v.script for v in small_archive.videos]


def test_a_full_archive_asks_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "write_video", lambda path, pictures: None)
    for seed in range(3):
        queries = demo.make_archive(tmp_path, seed).queries
        assert sum(query.kind == "plain" for query in queries) >= 40
        assert sum(query.kind == "absent" for query in queries) == 20
        assert sum(query.kind == "order" for query in queries) >= 5
        assert len({query.text for query in queries}) == len(queries)


def test_annotated_videos_are_read_as_a_data_set(tmp_path: Path) -> None:
    path = make_annotated(tmp_path, seed=1, videos=1)
    records = read_annotations(path).checked()
    assert len(records) > 40
    kinds = " ".join(record.query for record in records)
    assert any(word in kinds for word in ("enters", "comes in", "appears", "arrives"))
    with av.open(str(tmp_path / f"{records[0].video}.mp4")) as container:
        assert records[0].duration_s == pytest.approx(container.duration / 1e6, abs=0.2)


def _result(query: demo.DemoQuery, path: Path | None, span: Span | None) -> FindResult:
    hits = ()
    if path is not None and span is not None:
        hits = (Hit(1, bytes(path), "f", span, 0.9, 1.0, 99.0, True, ()),)
    return FindResult(FindRequest(query.text), hits, None, 1, 1, 1.0, "x", "y")


def test_scores_are_counted_right() -> None:
    here, there = Path("/a/one.mp4"), Path("/a/two.mp4")
    moments = (Span(10, 20), Span(40, 50))
    right = demo.DemoQuery("right", here, moments, "plain")
    rough = demo.DemoQuery("rough", here, moments, "plain")
    wrong_file = demo.DemoQuery("wrong file", here, moments, "plain")
    missed = demo.DemoQuery("missed", here, moments, "order")
    refused = demo.DemoQuery("refused", None, (), "absent")
    invented = demo.DemoQuery("invented", None, (), "absent")
    scores = demo.score(
        {
            right: _result(right, here, Span(41, 50)),
            rough: _result(rough, here, Span(10, 16)),
            wrong_file: _result(wrong_file, there, Span(10, 20)),
            missed: _result(missed, None, None),
            refused: _result(refused, None, None),
            invented: _result(invented, here, Span(10, 20)),
        }
    )
    assert (scores.queries, scores.absent) == (4, 2)
    assert scores.r1_50 == pytest.approx(0.5)
    assert scores.r1_70 == pytest.approx(0.25)
    assert scores.order_r1_50 == 0.0
    assert scores.rejected == pytest.approx(0.5)
    assert scores.lost == pytest.approx(0.25)
    assert scores.edge_error_s == pytest.approx((0.5 + 2.0) / 2)


def test_a_model_that_says_yes_or_no_is_believed_frame_by_frame() -> None:
    """An object is in view for 30 s, on the table for 6 of them: the sentence asks for the 6."""
    scale, bias, times_s = 20.0, -6.0, np.arange(100) + 0.5
    logits = np.full(100, -10.0)
    logits[40:70] = -3.0
    logits[52:58] = 3.0
    cosines = (logits - bias) / scale
    rng = np.random.default_rng(0)
    vectors = np.zeros((100, 8), np.float32)
    vectors[:, 0] = cosines
    vectors[:, 1:] = rng.standard_normal((100, 7)) * 0.02
    vectors[:, 2] += np.sqrt(1 - cosines**2)
    pooled = np.eye(8, dtype=np.float32)[0]
    sentence = Sentence("a ball on the table", pooled, pooled[None])
    window = Window(times_s, vectors, 1.0, 100.0)
    background = Background(
        float(cosines.mean()), float(cosines.std()), 100, vectors.mean(axis=0), scale, bias
    )
    trusting = PresenceCalibration(1.0, 0.0, 0.0, 0.0, 0.0, frame_trust=2.0)
    best = TrainingFreeLocalizer(calibration=trusting).localize(window, sentence, background)
    assert best.spans[0].span.iou(Span(52, 58)) > 0.8
    assert best.spans[0].presence > 0.5
    doubtful = replace(background, logit_bias=bias - 4)
    best = TrainingFreeLocalizer(calibration=trusting).localize(window, sentence, doubtful)
    assert best.spans[0].span.iou(Span(52, 58)) > 0.8
    assert best.spans[0].presence < 0.5


def test_a_lesson_depends_on_its_number_alone() -> None:
    steady = lessons.Teacher(3, pictures=6)
    for number in range(15):
        expected = steady.lesson(number)
    fresh = lessons.Teacher(3, pictures=6).lesson(14)
    assert fresh.texts == expected.texts
    assert torch.equal(fresh.pictures, expected.pictures)
    assert torch.equal(fresh.truth, expected.truth)
    assert set(expected.truth.unique().tolist()) <= {-1.0, 0.0, 1.0}


def test_a_primer_shows_much_and_says_nothing() -> None:
    primer = lessons.Teacher(3, pictures=16).primer(2)
    assert torch.equal(primer.pictures, lessons.Teacher(3, pictures=16).primer(2).pictures)
    assert primer.texts == []
    assert primer.words.max() > 0
    rooms = primer.patches[primer.words == 0]
    assert (rooms[..., 0] > 0).float().mean() > 0.25
    assert set(primer.patches[..., 2:].unique().tolist()) == {-1}


def test_doubtful_pairs_do_not_teach() -> None:
    truth = torch.tensor([[1.0, 0.0, -1.0]])
    sure = loss_of(torch.tensor([[8.0, -8.0, -50.0]]), truth)
    same = loss_of(torch.tensor([[8.0, -8.0, 50.0]]), truth)
    wrong = loss_of(torch.tensor([[-8.0, -8.0, 0.0]]), truth)
    assert sure == same
    assert sure < 0.01 < wrong


def test_training_writes_a_folder_that_the_encoder_loads(tmp_path: Path) -> None:
    train(tmp_path, steps=2, seed=1, primers=1, pictures=4)
    encoder = load_encoder(str(tmp_path), device="cpu")
    picture = encoder.preprocess(np.zeros((world.HEIGHT, world.WIDTH, 3), np.uint8))
    assert encoder.encode_pictures([picture]).shape == (1, encoder.space.dim)


def test_the_package_encodes_as_training_does(tmp_path: Path) -> None:
    torch.manual_seed(0)
    tokenizer = vocabulary.build_tokenizer()
    network = build_model(len(tokenizer)).eval()
    save(network, tokenizer, tmp_path)
    encoder = load_encoder(str(tmp_path), device="cpu")
    lesson = lessons.Teacher(8, pictures=4).lesson(0)
    with torch.no_grad():
        seen = network.vision_model(pixel_values=pixel_values(lesson.pictures)).pooler_output
        read = network.text_model(input_ids=token_ids(tokenizer, lesson.texts)).pooler_output
    pictures = lesson.pictures.permute(0, 2, 3, 1).numpy()
    vectors = encoder.encode_pictures([encoder.preprocess(p) for p in pictures])
    ours = torch.nn.functional.normalize(seen, dim=-1).numpy()
    assert (vectors * ours).sum(axis=1).min() > 0.999
    for text, pooled in zip(lesson.texts, torch.nn.functional.normalize(read, dim=-1), strict=True):
        assert encoder.encode_sentence(text).pooled @ pooled.numpy() > 0.999


def test_the_shipped_model_knows_its_world() -> None:
    encoder = load_encoder("demo", device="cpu")
    space = encoder.space
    lesson = lessons.Teacher(7_000_001, pictures=48).lesson(0)
    pictures = [encoder.preprocess(p) for p in lesson.pictures.permute(0, 2, 3, 1).numpy()]
    texts = np.stack([encoder.encode_sentence(text).pooled for text in lesson.texts])
    logits = encoder.encode_pictures(pictures) @ texts.T * space.logit_scale + space.logit_bias
    truth = lesson.truth.numpy()
    assert (logits[truth == 1] > 0).mean() > 0.93
    assert (logits[truth == 0] < 0).mean() > 0.99


def test_the_shipped_model_names_words_it_never_heard() -> None:
    encoder = load_encoder("demo", device="cpu")
    assert (
        encoder.encode_sentence("a red dog on the table").unread == "The model does not know: dog."
    )
    assert encoder.encode_sentence("a red ball on the table").unread == ""
    assert "красный, шар" in encoder.encode_sentence("Красный шар").unread
    with pytest.raises(UsageError, match="nothing of"):
        encoder.encode_sentence("🦊!")


def test_the_shipped_model_is_small() -> None:
    size = sum(path.stat().st_size for path in WEIGHTS.rglob("*"))
    assert size < 8_000_000
    assert (WEIGHTS / "README.md").is_file()
