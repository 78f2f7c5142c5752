"""Cases: what an operator must look at. DESIGN §2."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, line, long_text, number, pk, word


class Case(Base):
    """Something that could not be settled by itself. One open case per kind and thing it is about."""

    __tablename__ = "office_case"
    __table_args__ = (sa.UniqueConstraint("kind", "about", "live"), sa.Index(None, "live", "opened_at"))
    id: Mapped[pk]
    no: Mapped[number] = mapped_column(unique=True)
    kind: Mapped[word]
    about: Mapped[line]
    facts: Mapped[dict[str, Any]]
    opened_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]
    settled_by: Mapped[int | None] = mapped_column(sa.ForeignKey("person.id"))
    action: Mapped[word | None]
    reason: Mapped[long_text | None]
    live: Mapped[bool | None] = mapped_column(default=True)
