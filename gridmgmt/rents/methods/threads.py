"""Linear algebra in one thread."""

from collections.abc import Generator
from contextlib import contextmanager
from functools import cache

from threadpoolctl import ThreadpoolController


@contextmanager
def one_thread() -> Generator[None]:
    """Keep BLAS to one thread meanwhile, `with` or as a decorator.

    Sums are then taken in one order however many processors there are, so that a repeated run has the same digits; and systems of some
    hundred columns are solved several times as fast on a busy machine, for threads that share so little work mostly wait for each other.
    """
    with _controller().limit(limits=1, user_api="blas"):
        yield


@cache
def _controller() -> ThreadpoolController:
    import scipy.linalg  # noqa: F401, PLC0415  # pyright: ignore[reportUnusedImport]  # has a BLAS of its own, which must be there to be found

    return ThreadpoolController()
