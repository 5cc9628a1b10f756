"""What a bench compares with, and how."""

from statistics import median

from tests.helpers.benches import OURS, PAIR, facts_of, team
from trainer.bench.images import EPOCH_IMAGES


def test_ratios_are_taken_within_a_round() -> None:
    sources = team("loop", [(64, 60), (40, 50)], is_sources=True)
    one, pair = facts_of(sources, OURS, PAIR)["devices"][0]["ways"][1:]
    assert one["times_sources_per_second"] == {"median": 6, "low": 4, "high": 8}
    assert one["times_sources_per_core_second"] == {"median": 6.25, "low": 5, "high": 7.5}
    assert pair["times_one_worker"] == {"median": (2 + 1.25) / 2, "low": 1.25, "high": 2}
    assert pair["images_per_second"] == median([2 * EPOCH_IMAGES / 8, 2 * EPOCH_IMAGES / 16])


def test_a_loop_that_waits_busily_is_not_what_we_compare_with() -> None:
    """Measured on two cores that others held: the loop's own two threads took six times the processor time of one."""
    spinning = team("loop", [(220, 300), (210, 310)], is_sources=True)
    alone = team("same, 1 thread", [(50, 48), (52, 50)], is_sources=True)
    [device] = facts_of(spinning, alone, OURS, PAIR)["devices"]
    assert (device["sources_per_second"], device["sources_per_core_second"]) == ("same, 1 thread",) * 2
    assert device["ways"][2]["times_sources_per_core_second"] == {"median": 5.5, "low": 5, "high": 6}


def test_each_ratio_is_to_the_better_of_the_sources_loops() -> None:
    """On an idle machine two threads are the quicker, and one is the cheaper."""
    quick = team("loop", [(30, 60), (30, 60)], is_sources=True)
    cheap = team("same, 1 thread", [(50, 40), (50, 40)], is_sources=True)
    [device] = facts_of(quick, cheap, OURS)["devices"]
    assert (device["sources_per_second"], device["sources_per_core_second"]) == ("loop", "same, 1 thread")
    assert device["ways"][2]["times_sources_per_second"]["high"] == 30 / 8
    assert device["ways"][2]["times_sources_per_core_second"]["high"] == 40 / 8
