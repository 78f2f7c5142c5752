"""总览: what waits, what is late, and whether everything outside answers. Also the search field of every page."""

from typing import Any

from flask import redirect, render_template, request, url_for

from campus import cases, office, places, repairs
from campus.people import find_people
from campus.repairs.search import Filters
from console.forms import strip
from console.frame import bp, may, me
from console.shown import KINDS
from core import clock, ids
from core.db import reading
from core.house import house
from models.notices import Channel

FIRST = 8


@bp.get("/")
def get_overview() -> Any:
    """The desk at a glance. It asks again every quarter of a minute."""
    by, now = me(), clock.now()
    cache_up = house().cache.up()
    with reading() as s:
        desk = may("repair.see")
        return render_template(
            "console/overview.html",
            counts=office.desk_counts(s, by=by, now=now) if desk else None,
            late=_some(s, "overdue") if desk else [],
            waiting=_some(s, "filed") if desk else [],
            chart=_chart(office.by_hour(s, by=by, day=clock.campus_day(now))) if desk else None,
            open_cases=office.open_cases(s, by=by) if may("case.see") else None,
            cases=cases.list_cases(s, by=by, limit=5) if may("case.see") else [],
            case_kinds=cases.KINDS,
            health=_health(office.health(s, now=now), cache_up),
            off=house().config.platforms_off,
        )


def _some(s: Any, state: str) -> Any:
    filters = Filters(state=state)
    return repairs.search_tickets(s, by=me(), filters=filters, limit=FIRST, now=clock.now()).items


def _chart(hours: dict[str, list[int]]) -> dict[str, Any]:
    until = clock.to_campus(clock.now()).hour + 1
    return {
        "labels": [f"{hour}时" for hour in range(24)],
        "lines": [
            {"name": "报修", "values": hours["filed"][:until]},
            {"name": "完工", "values": hours["done"][:until]},
        ],
    }


def _health(lines: list[office.Line], cache_up: bool) -> list[office.Line]:
    """What other processes wrote down, and what this one sees: the database answered, Redis does or does not."""
    names = KINDS[Channel]
    shown = [office.Line(names.get(line.what, line.what), line.state, line.said, line.since) for line in lines]
    cache = office.Line(
        "缓存 Redis", "up" if cache_up else "slow", "正常" if cache_up else "连不上，业务照常，限流按进程计数"
    )
    return [office.Line("数据库", "up", "正常"), cache, *shown]


@bp.get("/find")
def get_find() -> Any:
    """One field for ticket numbers, people and places; what can only be one thing is opened at once."""
    q, by, now = strip(request.args.get("q")), me(), clock.now()
    if ids.SHAPE.match(q.upper()) and q.upper().startswith("WX"):
        return redirect(url_for("console.get_ticket", no=q.upper()))
    with reading() as s:
        tickets = (
            repairs.search_tickets(s, by=by, filters=Filters(text=q), limit=FIRST, now=now).items
            if q and may("repair.see")
            else []
        )
        persons = find_people(s, by=by, q=q, limit=FIRST) if q and may("person.see") else []
        spots = places.search(s, q, limit=FIRST) if q and may("place.see") else []
    if q and len(persons) == 1 and not tickets and not spots:
        return redirect(url_for("console.get_person", campus_no=persons[0].campus_no))
    return render_template("console/find.html", q=q, tickets=tickets, persons=persons, spots=spots)
