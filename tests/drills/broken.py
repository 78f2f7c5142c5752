"""The controls: our own processes with one promise broken, for showing that a drill would notice.

`python -m tests.drills.broken VARIANT WORDS…` runs `houqin WORDS…` with that variant's change.
"""

import sys
from collections.abc import Callable
from typing import Any

from sqlalchemy.orm import Session

from models import outbox


def mark_before_send() -> None:
    """A debt is settled when it is claimed: a worker that dies before sending has lost it."""
    claim = outbox.claim

    def claim_and_settle(s: Session, **how: Any) -> Any:
        debts = claim(s, **how)
        if debts:
            outbox.settle(s, debts, now=how["now"])
        return debts

    outbox.claim = claim_and_settle


VARIANTS: dict[str, Callable[[], None]] = {"mark_before_send": mark_before_send}


def main() -> None:
    from commands import main as houqin

    _, variant, *words = sys.argv
    VARIANTS[variant]()
    sys.argv = ["houqin", *words]
    houqin()


if __name__ == "__main__":
    main()
