"""Lines that are read after the view is over, by whoever serves, piece by piece.

They keep the view's session until the last one, or until the client goes away; between two
pieces no transaction is open.
"""

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager

from rollcall.extensions import db

# Makes the context in which `db.session` can be asked for: an application's `app_context`.
MakeContext = Callable[[], AbstractContextManager[object]]

# A piece that is handed to the server has at least so many characters; only the last has fewer.
PIECE = 16 * 1024


class Stream:
    """Lines joined to pieces that are worth a network packet each.

    The first piece is read at once, so that what can't be read at all raises here. What fails
    later gives the text of `apologise` as one more piece, and is raised when the next is asked
    for. Whoever iterates must call `close`, also where it did not come to the end.
    """

    def __init__(
        self,
        lines: Iterable[str],
        apologise: Callable[[Exception], str],
        make_context: MakeContext,
    ) -> None:
        self._pieces = _joined(lines)
        self._apologise = apologise
        self._first = next(self._pieces, None)
        self._session = _KeptSession(make_context)
        self._failed: Exception | None = None
        self._closed = False

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self._failed is not None:
            raise self._failed
        piece, self._first = self._first, None
        try:
            if piece is None:
                with self._session.in_use():
                    piece = next(self._pieces, None)
        except Exception as error:
            self._failed = error
            return self._apologise(error)
        if piece is None:
            raise StopIteration
        return piece

    def close(self) -> None:
        """End the reading wherever it is, and give back what it holds of the database."""
        if self._closed:
            return
        self._closed = True
        try:
            with self._session.in_use():
                self._pieces.close()
        finally:
            self._session.close()


class _KeptSession:
    """The session of the view that makes this, kept for what is read after the view is over.

    Flask-SQLAlchemy closes a view's session as soon as the view has returned, before the
    server has asked for the first line of a stream; what the lines hold of the database would
    be of no session any more. `close` is for the end, also where nobody read so far.
    """

    def __init__(self, make_context: MakeContext) -> None:
        self._make_context = make_context
        self._session = db.session()
        # A stream commits between its pieces, and goes on with the rows that it has read.
        self._session.expire_on_commit = False
        self._session.commit()
        db.session.registry.clear()

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Let `db.session` be this one for the block, and leave no transaction open behind it.

        Whoever reads a stream may do so slowly: what stood open between its pieces would keep
        SQLite's log from shrinking and PostgreSQL's tables from being migrated.
        """
        with self._make_context():
            db.session.registry.set(self._session)
            try:
                yield
                self._session.commit()
            except BaseException:
                self._session.rollback()
                raise
            finally:
                # Before the context ends, which would close what it finds here.
                db.session.registry.clear()

    def close(self) -> None:
        """Give the session's connection back."""
        self._session.close()


def _joined(lines: Iterable[str]) -> Generator[str, None, None]:
    held: list[str] = []
    length = 0
    for line in lines:
        held.append(line)
        length += len(line)
        if length >= PIECE:
            yield "".join(held)
            held, length = [], 0
    if held:
        yield "".join(held)
