"""What `make test` samples: the same by the same seed, every case by some seed, and everything where it must."""

from types import SimpleNamespace
from typing import Any

import pytest

from tests import conftest

LONG = [f"tests/promises/test_any.py::test_long[{number}]" for number in range(10)]
SHORT = "tests/promises/test_any.py::test_short"
MOST = 3


def chosen(monkeypatch: pytest.MonkeyPatch, seed: str, *args: str) -> list[str]:
    """What is run of a test with ten cases that is sampled, and of another that is not."""
    monkeypatch.setattr(conftest, "SEED", seed)
    marked = SimpleNamespace(args=(MOST,))
    items: list[Any] = [SimpleNamespace(nodeid=each, get_closest_marker=lambda _: marked) for each in LONG]
    items.append(SimpleNamespace(nodeid=SHORT, get_closest_marker=lambda _: None))
    deselected: list[Any] = []

    def deselect(items: list[Any]) -> None:
        deselected.extend(items)

    config: Any = SimpleNamespace(args=list(args), hook=SimpleNamespace(pytest_deselected=deselect))
    conftest.pytest_collection_modifyitems(config, items)
    assert len(items) + len(deselected) == len(LONG) + 1
    return [item.nodeid for item in items]


def test_the_same_seed_takes_the_same_cases_and_another_one_others(monkeypatch: pytest.MonkeyPatch):
    first = chosen(monkeypatch, "1")
    assert len(first) == MOST + 1
    assert SHORT in first
    assert chosen(monkeypatch, "1") == first
    samples = [chosen(monkeypatch, str(seed)) for seed in range(100)]
    assert {case for sample in samples for case in sample} == {*LONG, SHORT}


def test_the_whole_is_everything(monkeypatch: pytest.MonkeyPatch):
    assert chosen(monkeypatch, conftest.WHOLE) == [*LONG, SHORT]


@pytest.mark.parametrize("name", ["tests/promises/test_any.py::test_long", LONG[0]])
def test_what_is_named_is_not_sampled(monkeypatch: pytest.MonkeyPatch, name: str):
    assert chosen(monkeypatch, "1", name) == [*LONG, SHORT]
