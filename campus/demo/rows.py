"""Rows on their way into an empty database: ids are given out here, so that rows can name each other before they exist."""

from collections import defaultdict
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from models.base import Base

AT_ONCE = 1000


class Rows:
    """Rows by table. The same calls in the same order give the same ids."""

    def __init__(self) -> None:
        self.waiting: dict[type[Base], list[dict[str, Any]]] = defaultdict(list)
        self.last: dict[type[Base], int] = defaultdict(int)

    def add(self, model: type[Base], **values: Any) -> int:
        """A row is waiting; its id."""
        self.last[model] += 1
        self.waiting[model].append({"id": self.last[model], **values})
        return self.last[model]

    def send(self, s: Session, *models: type[Base]) -> None:
        """The waiting rows of these tables are in the database, in that order (parents first)."""
        for model in models:
            rows = self.waiting.pop(model, [])
            for start in range(0, len(rows), AT_ONCE):
                s.connection().execute(sa.insert(model), rows[start : start + AT_ONCE])
