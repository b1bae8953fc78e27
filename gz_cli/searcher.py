"""A library kept open with its model, for one query or for many."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from .calibration import CALIBRATED
from .grounding import REMEMBERED
from .views.find import FindView
from .views.render import Screen
from .views.results import remember

if TYPE_CHECKING:
    from index.search.search import FindObserver
    from index.store.library import Library
    from index.store.sentences import SentenceCache
    from index.types import Encoder, FindRequest, FindResult, Localizer
    from index.vectors.cache import VectorCache


class Searcher:
    """Answers queries to one library; what is slow to open is opened once.

    Between two queries it notices that the library has changed, was begun anew or
    got another grounder or calibration. The result of each query that a person asks is
    remembered for ``gz export-clips``.

    Args:
        screen: Where notes and progress go.
        library_dir: Folder of the library.
        device: Where the model computes; None takes the best.
        grounder: A trained model's folder or hub id; None takes the library's own.
    """

    def __init__(
        self,
        screen: Screen,
        library_dir: Path,
        device: str | None = None,
        grounder: str | None = None,
    ) -> None:
        self._screen, self._library_dir = screen, library_dir
        self._device, self._grounder = device, grounder
        self._library: Library | None = None
        self._encoder: Encoder | None = None
        self._localizer: Localizer
        self._sentences: SentenceCache
        self._cache: VectorCache | None = None
        self._generation = -1
        self._files: tuple[object, ...] = ()

    def __enter__(self) -> Searcher:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Lets go of the library; the next query opens it again."""
        library, self._library = self._library, None
        if library is not None:
            library.close()

    def require_library(self) -> None:
        """Returns when there is a library with something to search.

        Raises:
            NothingIndexedError: There is none.
            LibraryError: It is damaged or newer.
        """
        from index.search.scope import choose_videos
        from index.types import FindRequest

        from .opening import open_library

        with open_library(self._library_dir) as library:
            choose_videos(library, FindRequest(query=""))

    def ask(self, request: FindRequest) -> FindResult:
        """Runs one search.

        Raises:
            NothingIndexedError: There is no library, or no video in it.
            LibraryError: It is damaged or newer.
            ModelError: Its model is missing, or not the one that made it.
            UsageError: The request makes no sense.
        """
        opened = self._opened(request)
        with self._screen.progress() as progress:
            result = self._found(*opened, request, FindView(progress))
        remember(self._library_dir, result)
        return result

    def measure(self, request: FindRequest) -> FindResult:
        """The same search where nobody waits for its hits: it is not shown and not remembered.

        Raises:
            GzError: As `ask` does.
        """
        return self._found(*self._opened(request), request)

    def _found(
        self,
        library: Library,
        encoder: Encoder,
        request: FindRequest,
        observer: FindObserver | None = None,
    ) -> FindResult:
        from index.search.find import find

        return find(
            library, self._cache, encoder, self._localizer, request, self._sentences, observer
        )

    def _opened(self, request: FindRequest) -> tuple[Library, Encoder]:
        """The library as it is now, and the model that made it."""
        from index.search.find import asks_pictures
        from index.search.request import check_request
        from index.search.scope import choose_videos
        from index.store.sentences import SentenceCache
        from index.vectors.cache import VectorCache
        from index.vectors.everyday import everyday_of

        from .opening import open_encoder_of, open_library, open_localizer, require_same_space

        check_request(request)
        files = self._state_of_files()
        if self._library is None or files != self._files:
            self.close()
            self._library, self._generation = open_library(self._library_dir), -1
            # Where nothing can be searched, nobody has to wait for the model to learn it.
            choose_videos(self._library, request)
            if self._encoder is None or self._library.space != self._encoder.space:
                self._encoder = open_encoder_of(self._screen, self._library, self._device)
            require_same_space(self._library, self._encoder)
            self._localizer = open_localizer(
                self._library, self._grounder, self._device, self._screen.note
            )
            self._sentences = SentenceCache(self._library_dir)
            self._files = files
        library, generation = self._library, self._library.generation
        encoder = self._encoder
        assert encoder is not None  # noqa: S101 - opened with the library
        if generation != self._generation:
            self._cache, self._generation = None, generation
        # Words are found without any model; whoever asks for nothing else waits for none.
        if self._cache is None and asks_pictures(library, request):
            note = self._screen.note
            with self._screen.progress() as progress:
                self._cache = VectorCache.load(
                    library, note, everyday=lambda: everyday_of(encoder, note, progress.update)
                )
        return library, encoder

    def _state_of_files(self) -> tuple[object, ...]:
        """Changes when another library lies there, or when it judges by another model."""
        from index.store.schema import DATABASE_NAME

        state: list[object] = []
        for name in (DATABASE_NAME, REMEMBERED, CALIBRATED):
            try:
                stat = (self._library_dir / name).stat()
            except OSError:
                state.append(None)
                continue
            state.append(stat.st_ino if name == DATABASE_NAME else stat.st_mtime_ns)
        return tuple(state)
