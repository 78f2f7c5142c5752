"""The operators' pages: `/console/` on the one app of the house. FEATURES P4–P9, N2, N5, R1, R4, R8; DESIGN §4.

`register` hangs the pages on an app that carries a `core.house.House`. A page reads the request, calls one rule and
shows the result; what somebody may not do is not shown, and the rule says no all the same.
"""

from flask import Flask

from console import assets, frame, limits, shown
from console.frame import bp

# Each of these hangs its pages on `bp` while it is imported.
from console import audit, cases, faults, imports, notices, people, places, reauth, settings, suggest, tickets  # noqa: F401  # isort: skip
from console import errors, overview, sign_in  # noqa: F401  # isort: skip

__all__ = ["register"]


def register(app: Flask) -> None:
    """The app answers `/console/…`."""
    frame.furnish(app)
    limits.furnish(app)
    shown.furnish(app)
    assets.furnish(app)
    app.register_blueprint(bp)
