"""稽核: who did what, before and after, from where; and whether the chain holds. FEATURES P7."""

from typing import Any

from flask import render_template, request

from campus import office
from console.forms import strip, whole_number
from console.frame import bp, me
from console.limits import limiter
from console.tickets import day_of
from core.db import reading
from models import audit
from models.access import require

PAGE = 50
DEEDS = {
    "repair": "工单",
    "person": "人员",
    "role": "角色",
    "operator": "控制台账号",
    "department": "部门",
    "place": "地点",
    "fault": "故障类型",
    "notice": "通知",
    "case": "待处理",
    "calendar": "工作日历",
    "setting": "参数",
    "console": "登录",
}


@bp.get("/audit")
def get_audit() -> Any:
    """Audit lines, newest first."""
    args = request.args
    cursor = whole_number(args.get("cursor"), "cursor")
    with reading() as s:
        rows = office.audit_lines(
            s,
            by=me(),
            about=strip(args.get("about")) or None,
            campus_no=strip(args.get("campus_no")) or None,
            deed=args.get("deed") or None,
            since=day_of(args.get("since")),
            until=day_of(args.get("until")),
            cursor=cursor,
            limit=PAGE + 1,
        )
        return render_template(
            "console/audit/list.html",
            rows=rows[:PAGE],
            next=rows[PAGE - 1][0].id if len(rows) > PAGE else None,
            first=cursor is None,
            chain=office.chain(s, by=me()),
            deeds=DEEDS,
        )


@bp.post("/audit/prove")
@limiter.limit("6 per minute")
def post_prove_chain() -> Any:
    """The whole chain is walked: how many lines hold, and the first that does not."""
    with reading() as s:
        require(s, me(), "audit.see")
        held, wrong = audit.prove(s)
    return render_template("console/audit/proved.html", held=held, wrong=wrong)
