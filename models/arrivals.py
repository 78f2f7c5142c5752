"""What platforms pushed to us, once each, with the reply it got. PROTOCOLS 1.3, 3.2.

The row is inserted first, in the deed's own transaction: a second arrival of the same message waits for the first
at the UNIQUE and is then given the same reply. It survives restarts and serves any number of processes.
"""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, long_text, pk, word


class Arrival(Base):
    """One message or event. `key` is the platform's message id, or sender, second and event for what has none."""

    __tablename__ = "arrival"
    __table_args__ = (sa.UniqueConstraint("door", "key"), sa.Index(None, "arrived_at"))
    id: Mapped[pk]
    door: Mapped[word]
    key: Mapped[str] = mapped_column(sa.String(160))
    reply: Mapped[long_text]
    arrived_at: Mapped[datetime]
