"""Tables and the constraints they keep. Importing this package makes every table known to `Base.metadata`."""

from models import (
    access,
    arrivals,
    audit,
    calendar,
    cases,
    files,
    job_runs,
    notices,
    outbox,
    people,
    places,
    repairs,
    settings,
)

__all__ = [
    "access",
    "arrivals",
    "audit",
    "calendar",
    "cases",
    "files",
    "job_runs",
    "notices",
    "outbox",
    "people",
    "places",
    "repairs",
    "settings",
]
