"""Write CSV files of trends of any size."""

import csv
import random
from pathlib import Path

SAMPLE = Path(__file__).resolve().parent.parent / "tests" / "data" / "trends_sample.csv"


def write(path: Path, count: int, *, seed: int = 1) -> Path:
    """Write ``count`` different rows, combined from the sample's values; returns ``path``."""
    chance = random.Random(seed)
    with SAMPLE.open(encoding="utf-8-sig", newline="") as file:
        header, *rows = csv.reader(file, delimiter=";")
    columns = list(zip(*rows, strict=True))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=";")
        writer.writerow(header)
        for number in range(count):
            row = [chance.choice(column) for column in columns]
            row[2] += f" Study {number} of {chance.randrange(10**6)}."
            writer.writerow(row)
    return path
