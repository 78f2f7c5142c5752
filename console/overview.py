"""总览: what waits, what is late, and whether everything outside answers. Also the search field of every page."""

from typing import Any

from flask import redirect, render_template, url_for

from console.frame import bp


@bp.get("/")
def get_overview() -> Any:
    return render_template("console/overview.html")


@bp.get("/find")
def get_find() -> Any:
    """One field for ticket numbers, people and places."""
    return redirect(url_for("console.get_overview"))
