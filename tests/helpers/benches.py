"""Made-up measurements of a bench."""

from typing import Any, cast

from trainer.bench.contender import Contender, Started
from trainer.bench.facts import bench_facts
from trainer.bench.measure import Cost, DeviceBench, Team
from trainer.training.precision import FLOAT32


class Standing:
    """Stands for a contender that has trained."""

    start, memory_bytes = Started(2.5, 2.0), 700 << 20


def team(name: str, costs: list[tuple[float, float]], n_workers: int = 1, is_sources: bool = False) -> Team:
    contenders = cast(list[Contender], [Standing() for _ in range(n_workers)])
    return Team(name, contenders, is_sources, n_images=1280, costs=[Cost(*cost) for cost in costs])


def facts_of(*teams: Team) -> dict[str, Any]:
    return bench_facts([DeviceBench("cpu", FLOAT32, list(teams))], "noise", 1.0)


OURS = team("one worker", [(8, 8), (10, 10)])
PAIR = team("2 workers", [(8, 8), (16, 11)], n_workers=2)
