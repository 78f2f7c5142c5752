"""How a benchmark prints what it measured, and writes it for others with `--json FILE`."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Row:
    """One ratio and its goal. `at_most`: smaller is better."""

    name: str
    ours: float
    against: float
    goal: float
    at_most: bool
    unit: str = ""

    @property
    def ratio(self) -> float:
        return self.ours / self.against if self.against else float("inf")

    @property
    def met(self) -> bool:
        return self.ratio <= self.goal if self.at_most else self.ratio >= self.goal


def show(rows: list[Row], json_file: str | None = None) -> None:
    """The table on the screen, and the rows in the file when one is named."""
    width = max(len(row.name) for row in rows)
    print(f"{'what':<{width}}  {'ours':>12}  {'against':>12}  {'ratio':>7}  goal")
    for row in rows:
        sign = "≤" if row.at_most else "≥"
        verdict = "met" if row.met else "NOT MET"
        print(
            f"{row.name:<{width}}  {row.ours:>12,.2f}  {row.against:>12,.2f}  {row.ratio:>7.2f}  {sign} {row.goal:g}  {verdict} {row.unit}"
        )
    if json_file:
        Path(json_file).write_text(
            json.dumps(
                [asdict(row) | {"ratio": row.ratio, "met": row.met} for row in rows], ensure_ascii=False, indent=1
            )
        )
