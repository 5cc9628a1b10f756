"""One fault after the other: what a search says of it, what it leaves, and whether the same command goes on.

    python -m benchmarks.reliability.faults [--checkout DIR] [--out FILE.json] [--only WORD] [--parallel 2]
    python -m benchmarks.reliability.faults --compare BEFORE.json AFTER.json

Each fault meets a search of its own in the middle of its trainings. Once the search has ended (or has been waited for
in vain, and is killed), the fault is mended and the same command given again, unless there is nothing left to do. The
disks are files mounted as ext4, for which this needs root on Linux. Prints a table, and the second form one of both.
"""

import argparse
import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks._report import machine_line, markdown_table
from benchmarks.reliability._case import DETERMINISTIC, N_TRIALS, RUN, Case
from benchmarks.reliability._scenarios import SCENARIOS
from benchmarks.reliability._searches import ROOT, Checkout, Search
from benchmarks.reliability._stored import results, stored

Facts = dict[str, Any]
_COLUMNS = ("", "exit code", "trace-back", "RUNNING left", "same command then", "epochs lost", "trained again",
            "equal", "says")  # fmt: skip


def undisturbed(checkout: Checkout, folder: Path) -> list[Any] | None:
    """What the search comes to that meets no fault; None if this program does not promise that twice."""
    if not checkout.has_option(DETERMINISTIC[0]):
        return None
    search = Search(checkout, folder / "undisturbed", [*RUN, *DETERMINISTIC])
    if code := search.start().wait():
        raise SystemExit(f"the undisturbed search ended with {code}: see {search.said}")
    return results(stored(search.folder))


def run_all(checkout: Checkout, folder: Path, only: str, parallel: int) -> dict[str, Facts]:
    """What was written down of each fault, by its name."""
    expected = undisturbed(checkout, folder)
    names = [name for name in SCENARIOS if only in name]

    def run(name: str) -> Facts:
        case = Case(checkout, folder / f"{list(SCENARIOS).index(name):02}", is_deterministic=expected is not None)
        try:
            SCENARIOS[name](case)
            facts = case.judge(expected)
        finally:
            for leave in case.leaving:
                leave()
        print(json.dumps({name: facts}), flush=True)
        return facts

    with ThreadPoolExecutor(parallel) as pool:
        return dict(zip(names, pool.map(run, names), strict=True))


def row(facts: Facts) -> tuple[str, ...]:
    """A fault's row of the table, without its name."""
    again = facts.get("again")
    code = "waits for ever" if facts["code"] is None else str(facts["code"])
    return (
        code,
        "yes" if facts["traceback"] else "no",
        str(facts["running_left"]),
        "not needed" if again is None else _went_on(facts, again),
        str(facts["lost"]),
        str(facts["trained_again"]),
        {True: "yes", False: "no", None: "-"}[facts["equal"]],
        _quoted(facts),
    )


def _went_on(facts: Facts, again: Facts) -> str:
    is_right = again["code"] == 0 and facts["past_gate"] == N_TRIALS and facts["running_at_end"] == 0
    return f"exit {again['code']}, {facts['past_gate']} of {N_TRIALS}" + ("" if is_right else ": wrong")


def _quoted(facts: Facts) -> str:
    lines = [*facts["said"][-1:], *(f"second, exit {facts['second']['code']}: {line}" for line in _seconds(facts))]
    return "; ".join(f"`{line.replace('|', '/')}`" for line in lines) or "nothing"


def _seconds(facts: Facts) -> list[str]:
    return facts["second"]["said"][-1:] if "second" in facts else []


def compared(before: dict[str, Facts], after: dict[str, Facts]) -> str:
    """Two rows for each fault."""
    rows = []
    for name in SCENARIOS:
        for when, facts in (("before", before), ("after", after)):
            if name in facts:
                rows.append((f"{name}: {when}", *row(facts[name])))
    return markdown_table(_COLUMNS, rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--checkout", type=Path, default=ROOT)
    parser.add_argument("--out", type=Path, default=Path("faults.json"))
    parser.add_argument("--only", default="", metavar="WORD", help="faults with this in their names")
    parser.add_argument("--parallel", type=int, default=2)
    parser.add_argument("--compare", type=Path, nargs=2, metavar=("BEFORE", "AFTER"))
    options = parser.parse_args()
    if options.compare is not None:
        print(compared(*(json.loads(file.read_text())["faults"] for file in options.compare)))
        return
    folder = options.out.with_suffix(".cases").absolute()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    checkout = Checkout(options.checkout.absolute(), folder)
    known = json.loads(options.out.read_text())["faults"] if options.only and options.out.exists() else {}
    faults = known | run_all(checkout, folder, options.only, options.parallel)
    facts = {"on": machine_line(), "commit": checkout.commit, "faults": faults}
    options.out.write_text(json.dumps(facts, indent=1) + "\n")
    print(
        f"\n{facts['on']}; {facts['commit']}\n\n{markdown_table(_COLUMNS, [(n, *row(f)) for n, f in faults.items()])}"
    )


if __name__ == "__main__":
    main()
