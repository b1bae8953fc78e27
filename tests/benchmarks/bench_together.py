"""Words and pictures asked together in a simulated archive: both, half of it, and neither.

    python tests/benchmarks/bench_together.py ARCHIVE [--text FILE] [--keep LIBRARY]

ARCHIVE is a folder as `simulated_archive` describes, with sentences that happen in it and that
do not. Every video gets a made-up talk (`spoken_world`). Asked are: quotes of five words with
the picture that is seen meanwhile; the same quotes with a picture of another video, and with
one that is nowhere; words that nobody says with a picture that is there; and the pictures
alone, in the library with its words and without them. A moment is right where it lies in the
video in which both happen and touches them.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(Path(__file__).parent)]

import numpy as np  # noqa: E402
from bench_archive import build, path_of  # noqa: E402
from simulated_archive import Archive, SimulatedEncoder, whole  # noqa: E402
from spoken_world import WORD_S, SpokenWorld, Talk  # noqa: E402

from index.files import WriterLock  # noqa: E402
from index.passages import TextSource, TextTrack  # noqa: E402
from index.search.find import find  # noqa: E402
from index.store.library import Library  # noqa: E402
from index.types import FindRequest, FindResult  # noqa: E402
from index.vectors.cache import VectorCache  # noqa: E402
from index.vectors.everyday import encode_everyday  # noqa: E402
from model.grounding.training_free import TrainingFreeLocalizer  # noqa: E402

QUOTE_WORDS = 5


class Asker:
    """One open library."""

    def __init__(self, library: Library, encoder: SimulatedEncoder) -> None:
        self.library, self.encoder = library, encoder
        self.cache = VectorCache.load(library, everyday=lambda: encode_everyday(encoder))

    def __call__(self, query: str) -> FindResult:
        request = FindRequest(query, refine=False)
        return find(self.library, self.cache, self.encoder, TrainingFreeLocalizer(), request)


def speak(folder: Path, archive: Archive, world: SpokenWorld) -> dict[str, Talk]:
    """Gives every video a talk."""
    talks = {}
    with WriterLock(folder), Library.create_or_open(folder) as library:
        for video in archive.videos:
            talk = world.talk(int(video.frames / WORD_S))
            row = library.video_by_path(path_of(video.name))
            source = TextSource("speech", "sidecar", "person", path=path_of(video.name) + b".srt")
            library.write_text(row.id, TextTrack(source, talk.heard, float(video.frames)))
            talks[video.name] = talk
    return talks


def quote(talk: Talk, moment: dict) -> str:
    first = int((moment["start_s"] + moment["end_s"]) / 2 / WORD_S)
    first = max(0, min(first, len(talk.said) - QUOTE_WORDS))
    return " ".join(talk.said[first : first + QUOTE_WORDS])


def is_right(result: FindResult, moment: dict) -> bool:
    return any(
        hit.path == path_of(moment["video"])
        and hit.span.start_s < moment["end_s"]
        and hit.span.end_s > moment["start_s"]
        for hit in result.hits[:1]
    )


def see(query: dict) -> str:
    return 'see:"' + query["query"].replace('"', "'") + '"'


def share(flags: list[bool]) -> float:
    return round(float(np.mean(flags)), 3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("archive", type=Path)
    parser.add_argument("--text", type=Path)
    parser.add_argument("--keep", type=Path)
    asked = parser.parse_args()
    archive = Archive.open(asked.archive)
    encoder = SimulatedEncoder(archive, asked.text)
    present = [q for q in archive.queries if q["present"]]
    absent = [q for q in archive.queries if not q["present"]]
    with tempfile.TemporaryDirectory() as temporary:
        folder = asked.keep or Path(temporary)
        build(folder, archive, encoder)
        with Library.open_readonly(folder) as library:
            ask = Asker(library, encoder)
            silent = {q["qid"]: ask(whole(q["query"])) for q in archive.queries}
        world = SpokenWorld(seed=3)
        talks = speak(folder, archive, world)
        strange = world.talk(20_000).said
        both, other, nowhere, unsaid = [], [], [], []
        with Library.open_readonly(folder) as library:
            ask = Asker(library, encoder)
            spoken = {q["qid"]: ask(whole(q["query"])) for q in archive.queries}
            for number, query in enumerate(present):
                moment = query["moments"][0]
                words = quote(talks[moment["video"]], moment)
                stranger = present[(number + 7) % len(present)]
                both.append(is_right(ask(f'say:"{words}" {see(query)}'), moment))
                if moment["video"] not in {m["video"] for m in stranger["moments"]}:
                    other.append(not ask(f'say:"{words}" {see(stranger)}').hits)
                nowhere.append(not ask(f'say:"{words}" {see(absent[number % len(absent)])}').hits)
                never = " ".join(strange[number * 9 : number * 9 + QUOTE_WORDS])
                unsaid.append(not ask(f'say:"{never}" {see(query)}').hits)
    figures = {
        "both_found_and_right": share(both),
        "picture_of_another_video_not_found": share(other),
        "picture_that_is_nowhere_not_found": share(nowhere),
        "words_that_nobody_says_not_found": share(unsaid),
    }
    for name, results in (("without_words", silent), ("with_words", spoken)):
        figures[f"pictures_{name}_right"] = share(
            [any(is_right(results[q["qid"]], m) for m in q["moments"]) for q in present]
        )
        figures[f"pictures_{name}_absent_not_found"] = share(
            [not results[q["qid"]].hits for q in absent]
        )
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
