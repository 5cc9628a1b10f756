"""Whether a search loses anything: to kills, to load, and to each fault that it may meet.

    python -m benchmarks.reliability.kills     searches killed with -9, resumed, and compared with undisturbed ones
    python -m benchmarks.reliability.load      one study of thousands of trials, watched and read meanwhile
    python -m benchmarks.reliability.faults    one fault after the other: what is said, what is left, what goes on

Each drives the command line as a user does, in processes of their own, and judges by the database and by what workers
note of the epochs they train. `--checkout DIR` names the code that is tested, which need not be this one.
"""
