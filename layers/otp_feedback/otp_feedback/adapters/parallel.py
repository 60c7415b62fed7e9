"""Calls side by side in threads."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor


def in_parallel(workers: int) -> Callable[[Iterable[Callable[[], None]]], None]:
    """A function that runs calls in up to `workers` threads, waits for all, and raises what one raised."""

    def run(calls: Iterable[Callable[[], None]]) -> None:
        with ThreadPoolExecutor(max_workers=workers) as executor:
            for future in [executor.submit(call) for call in calls]:
                future.result()

    return run
