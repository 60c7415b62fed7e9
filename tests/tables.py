"""Tests over long tables of cheap cases, for which a test each would cost more than what it does."""

from collections.abc import Callable, Iterable


def for_each(cases: Iterable[tuple[object, ...]]) -> Callable[[Callable[..., None]], Callable[[], None]]:
    """Make one test of a check that is run with each case; it tells all that fail."""
    table = list(cases)

    def decorate(check: Callable[..., None]) -> Callable[[], None]:
        def test() -> None:
            failed = []
            for case in table:
                try:
                    check(*case)
                except AssertionError as error:
                    failed.append(f"{case}: {error}")
            assert not failed, "\n".join(failed)

        test.__name__ = test.__qualname__ = check.__name__
        test.__doc__ = check.__doc__
        test.__module__ = check.__module__
        return test

    return decorate
