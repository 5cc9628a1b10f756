"""What a bench says beside its table."""

from tests.helpers.benches import OURS, facts_of, team
from trainer.bench.text import bench_text


def test_the_text_says_when_others_had_the_cores() -> None:
    sources = team("loop", [(64, 60), (40, 50)], is_sources=True)
    said = "other processes had the cores at times"
    assert said not in bench_text(facts_of(sources, OURS))
    busy = team("one worker", [(12, 8), (20, 10)])
    assert said in bench_text(facts_of(sources, busy))
