"""Every drill's short version, as `make test` runs it: a program in a process of its own that prints what it counted."""

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PROGRAMS = sorted(
    path.stem
    for path in HERE.glob("*.py")
    if path.stem == "kill" or (path.stem.startswith("k") and path.stem[1:].partition("_")[0].isdigit())
)
LONGEST_S = 900  # a machine that has other things to do takes its time; the counts are what is strict


@pytest.mark.drill
@pytest.mark.race
@pytest.mark.parametrize("program", PROGRAMS)
def test_the_short_drill_counts_right_and_catches_its_controls(program: str, tmp_path: Path) -> None:
    with (tmp_path / "said").open("w+") as said:
        words = [sys.executable, "-m", f"tests.drills.{program}", "--short"]
        done = subprocess.run(words, cwd=ROOT, stdout=said, stderr=subprocess.STDOUT, timeout=LONGEST_S, check=False)
        said.seek(0)
        assert done.returncode == 0, said.read()[-6000:]


def test_a_canary_in_the_log_of_a_test_run_is_found(tmp_path: Path) -> None:
    clean, leaked = tmp_path / "clean.log", tmp_path / "leaked.log"
    clean.write_text('{"event": "seat booked"}\n')
    leaked.write_text('{"event": "seat booked"}\n{"event": "canary-data-key"}\n')
    assert [_search(clean), _search(leaked), _search(clean, leaked), _search(tmp_path)] == [0, 1, 1, 1]


def _search(*paths: Path) -> int:
    words = [sys.executable, "-m", "tests.drills.k25_secrets", "--search", *map(str, paths)]
    return subprocess.run(words, cwd=ROOT, stdout=subprocess.DEVNULL, check=False).returncode
