"""待处理: what could not be settled by itself, with what is known and what may be done. DESIGN §2."""

from typing import Any

from flask import render_template, request

from campus import cases
from console.forms import whole_number
from console.frame import bp, go, me
from core import clock
from core.db import reading, run
from models.people import Person

PAGE = 50
FACT_TITLES = {
    "topic": "事项",
    "why": "原因",
    "attempts": "已试次数",
    "no": "单号",
    "text": "内容",
    "file": "照片",
    "label": "判定",
    "suggest": "平台建议",
    "what": "对象",
}


@bp.get("/cases")
def get_cases() -> Any:
    """Cases, newest first; open ones unless all are asked for."""
    args = request.args
    cursor = whole_number(args.get("cursor"), "cursor")
    with reading() as s:
        rows = cases.list_cases(
            s, by=me(), kind=args.get("kind") or None, open_only=not args.get("all"), cursor=cursor, limit=PAGE + 1
        )
        return render_template(
            "console/cases/list.html",
            rows=rows[:PAGE],
            next=rows[PAGE - 1].id if len(rows) > PAGE else None,
            first=cursor is None,
            kinds=cases.KINDS,
            titles=FACT_TITLES,
        )


@bp.get("/cases/<no>")
def get_case(no: str) -> Any:
    """One case: its facts, and the actions that are allowed."""
    with reading() as s:
        case = cases.case_by_no(s, no=no, by=me())
        settled_by = s.get(Person, case.settled_by) if case.settled_by else None
    return render_template(
        "console/cases/case.html",
        case=case,
        kind=cases.KINDS.get(case.kind),
        actions=cases.actions_of(case),
        settled_by=settled_by,
        titles=FACT_TITLES,
    )


@bp.post("/cases/<no>")
def post_case(no: str) -> Any:
    """The case is settled by that action, for that reason."""
    by, now, form = me(), clock.now(), request.form
    run(
        lambda s: cases.settle_case(
            s, no=no, action=form.get("action", ""), reason=form.get("reason", ""), by=by, now=now
        )
    )
    return go("get_cases", f"{no} 已处理")
