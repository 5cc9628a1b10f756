"""A contender that breaks."""

from functools import partial
from pathlib import Path

import pytest

from models.errors import WorkFailedError
from trainer.bench.contender import Contender
from trainer.bench.ways import SourcesLoop


def test_a_way_that_breaks_ends_the_bench_with_its_reason(tmp_path: Path) -> None:
    contender = Contender("the loop", partial(SourcesLoop, tmp_path, "cpu"))
    try:
        with pytest.raises(WorkFailedError, match=r"^the loop broke: RuntimeError: Dataset not found"):
            contender.started()
    finally:
        contender.close()
