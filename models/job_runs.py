"""Which timed job ran in which slot: the row is the right to run it. ECOSYSTEM 5.2, DRILLS K11."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, pk, word


class JobRun(Base):
    """One slot of one timed job. Whoever inserts the row runs it; a lease that ran out is taken over, `turn` counts up.

    What the job writes is fenced by `turn`: a process that slept past its lease finds another turn and changes nothing.
    """

    __tablename__ = "job_run"
    __table_args__ = (sa.UniqueConstraint("job", "slot"),)
    id: Mapped[pk]
    job: Mapped[word]
    slot: Mapped[datetime]
    turn: Mapped[int] = mapped_column(default=1)
    taken_by: Mapped[word]
    lease_until: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    outcome: Mapped[word | None]
