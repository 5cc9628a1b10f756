"""An engine by its name: an unknown one is refused, a known one is closed whatever happens."""

import pytest
import torch

from models.errors import MnistSearchError
from search.engines.opening import ENGINES, open_engine
from tests.helpers.inline import InlineEngine, small_digits
from trainer.data.images import TrainingData


class Noting(InlineEngine):
    """Notes what it was opened with, and whether it was closed."""

    def __init__(
        self, data: TrainingData, devices: list[str], dtype: torch.dtype, slots: int | None, what: str = ""
    ) -> None:
        super().__init__(data)
        self.opened_with = data, devices, dtype, slots, what
        self.n_closed = 0

    def close(self) -> None:
        super().close()
        self.n_closed += 1


@pytest.fixture(scope="module")
def data() -> TrainingData:
    return small_digits(8, 8)


def test_an_unknown_engine_is_refused(data: TrainingData) -> None:
    with (
        pytest.raises(MnistSearchError, match=r"^unknown engine 'cluster': use local or ray$"),
        open_engine(data, ["cpu"], torch.float32, name="cluster"),
    ):
        raise AssertionError("opened")


def test_an_engine_is_opened_with_what_is_given_and_closed_at_the_end(
    data: TrainingData, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ENGINES, "noting", Noting)
    with open_engine(data, ["cpu", "cpu"], torch.bfloat16, 3, "noting", what="else") as engine:
        assert isinstance(engine, Noting)
        assert engine.opened_with == (data, ["cpu", "cpu"], torch.bfloat16, 3, "else")
        assert engine.n_closed == 0
    assert engine.n_closed == 1


def test_an_engine_is_closed_when_the_work_breaks(data: TrainingData, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Noting] = []

    def make(*how: object) -> Noting:
        opened.append(Noting(*how))  # type: ignore[arg-type]
        return opened[-1]

    monkeypatch.setitem(ENGINES, "noting", make)
    with pytest.raises(KeyboardInterrupt), open_engine(data, ["cpu"], torch.float32, name="noting"):
        raise KeyboardInterrupt
    assert [engine.n_closed for engine in opened] == [1]
