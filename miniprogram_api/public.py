"""What anybody may see, without signing in and without personal data. FEATURES R20."""

from datetime import datetime

from campus.repairs import reading as tickets
from core import clock
from core.db import reading
from miniprogram_api.frame import api, polled
from miniprogram_api.kinds import Moment, Out
from miniprogram_api.limits import limited


class StatusOut(Out):
    open_tickets: int
    closed_today: int
    updated_at: Moment


@api.get("/public/status")
@limited("public")
@polled(60)
@api.output(StatusOut)
def get_public_status() -> StatusOut:
    """How many repairs are open and how many were closed today, to the minute."""
    now: datetime = clock.now().replace(second=0, microsecond=0)
    with reading() as s:
        told = tickets.public_status(s, limit=1)
        closed = tickets.closed_today(s, now=now)
    return StatusOut(open_tickets=sum(told.by_state.values()), closed_today=closed, updated_at=now)
