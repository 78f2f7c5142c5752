"""通知: where each notice was tried and what came back; which template carries which kind. FEATURES N1–N5."""

from typing import Any

from flask import render_template, request

from campus import notices, office
from campus.notices.fields import CARRIES, LIMITS
from campus.notices.kinds import FACTS, KINDS
from campus.notices.templates import TEMPLATED
from console.forms import strip, whole_number
from console.frame import bp, go, me
from core import clock
from core.db import reading, run
from core.errors import Invalid, NotFound
from models.access import require
from models.notices import Channel, TryState

PAGE = 50
FACT_TITLES = {
    "no": "单号",
    "title": "标题",
    "place": "地点",
    "fault": "故障",
    "text": "说明",
    "status": "状态",
    "at": "时间",
    "worker": "维修工",
    "person": "姓名",
    "amount": "金额",
}
SAMPLES = {
    "no": "WX260901K7Q2M9X4CD",
    "title": "空调维修",
    "place": "梅园校区 12 号楼 4 层 402 室",
    "fault": "空调不制冷",
    "text": "室内机滴水，遥控器没有反应，已经断电",
    "status": "维修中",
    "at": "2026-09-01T04:00:00+00:00",
    "worker": "王建国",
    "person": "林小雨",
    "amount": "50.00 元",
}


@bp.get("/notices")
def get_notices() -> Any:
    """Delivery records, newest first."""
    args = request.args
    cursor = whole_number(args.get("cursor"), "cursor")
    with reading() as s:
        rows = notices.deliveries(
            s,
            by=me(),
            about=strip(args.get("about")) or None,
            campus_no=strip(args.get("campus_no")) or None,
            channel=Channel(args["channel"]) if args.get("channel") in set(Channel) else None,
            state=TryState(args["state"]) if args.get("state") in set(TryState) else None,
            before_id=cursor,
            limit=PAGE + 1,
        )
        return render_template(
            "console/notices/list.html",
            rows=rows[:PAGE],
            next=rows[PAGE - 1][0].id if len(rows) > PAGE else None,
            first=cursor is None,
            kinds=KINDS,
        )


@bp.get("/notices/templates")
def get_templates() -> Any:
    """Every kind of notice beside the template that carries it on each channel."""
    with reading() as s:
        require(s, me(), "notice.see")
        known = {(row.channel, row.kind): row for row in notices.mappings(s)}
        quotas = office.quotas(s, by=me())
    return render_template(
        "console/notices/templates.html", kinds=KINDS.values(), channels=TEMPLATED, known=known, quotas=quotas
    )


@bp.get("/notices/templates/<any(mini, official):channel>/<kind>")
def get_template(channel: str, kind: str) -> Any:
    """One mapping with its fields and what it would look like."""
    what = _kind(kind)
    with reading() as s:
        require(s, me(), "notice.see")
        row = next((row for row in notices.mappings(s) if (row.channel, row.kind) == (channel, kind)), None)
    fields = dict(row.fields) if row else {}
    return render_template(
        "console/notices/template.html",
        kind=what,
        channel=channel,
        row=row,
        fields=list(fields.items()),
        fact_titles=FACT_TITLES,
        preview=_preview(fields),
        carries={fact: sorted(CARRIES[FACTS[fact]]) for fact in what.facts},
        limits=LIMITS,
    )


@bp.post("/notices/templates/<any(mini, official):channel>/<kind>/preview")
def post_template_preview(channel: str, kind: str) -> Any:
    """What the fields would carry; what cannot fit is named (N2). Nothing is changed."""
    fields = _fields()
    with reading() as s:
        require(s, me(), "notice.see")
    notices.check_mapping(_kind(kind), fields)
    return render_template("console/notices/preview.html", preview=_preview(fields))


@bp.post("/notices/templates/<any(mini, official):channel>/<kind>")
def post_template(channel: str, kind: str) -> Any:
    """From now on that template carries the kind there (N2)."""
    by, now, fields = me(), clock.now(), _fields()
    template_id = strip(request.form.get("template_id"))
    run(
        lambda s: notices.set_template(
            s, channel=Channel(channel), kind=kind, template_id=template_id, fields=fields, by=by, now=now
        )
    )
    return go("get_templates", f"“{_kind(kind).title}”的模板已保存")


@bp.post("/notices/templates/<any(mini, official):channel>/<kind>/remove")
def post_template_remove(channel: str, kind: str) -> Any:
    by, now = me(), clock.now()
    run(lambda s: notices.remove_template(s, channel=Channel(channel), kind=kind, by=by, now=now))
    return go("get_templates", f"“{_kind(kind).title}”不再走这个渠道")


def _kind(name: str) -> Any:
    if name not in KINDS:
        raise NotFound("没有这类通知", kind=name[:64])
    return KINDS[name]


def _fields() -> dict[str, str]:
    """Rows of the form: template field → fact. Raises Invalid when a field stands twice."""
    pairs = [
        (strip(field), fact)
        for field, fact in zip(request.form.getlist("field"), request.form.getlist("fact"), strict=False)
        if strip(field)
    ]
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise Invalid(fields={"fields": "同一个模板字段填了两次"})
    return fields


def _preview(fields: dict[str, str]) -> list[tuple[str, str, str]]:
    return [
        (field, FACT_TITLES.get(fact, fact), notices.fit(field, fact, SAMPLES.get(fact, "示例")))
        for field, fact in fields.items()
    ]
