"""How many trainings at once a worker takes on where nobody has said it."""


def choose_slots(device: str) -> int:
    """1 for a CPU, which one training keeps busy; several for a GPU, which waits for one so small."""
    return 8 if device.startswith("cuda") else 1
