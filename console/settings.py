"""设置: values with the rule they come from, roles, the working calendar, who may sign in here. FEATURES P6, P7, P9."""

from datetime import date, timedelta
from typing import Any

from flask import render_template, request, url_for
from flask.typing import ResponseReturnValue

from campus import access, calendar, office, operators
from console.forms import strip
from console.frame import bp, go, may, me
from console.people import id_of
from console.qr import qr_data
from console.reauth import fresh
from console.tickets import day_of
from core import clock
from core.db import reading, run
from core.errors import Invalid, NotFound
from models.access import require
from models.deeds import TITLES
from models.people import Person
from models.settings import REGISTRY

WEEKDAYS = "一二三四五六日"
UNITS = {"86400": "天", "3600": "小时", "60": "分钟", "1": "秒"}
AREAS = {
    "console": "控制台",
    "me": "本人",
    "repair": "报修",
    "fault": "故障类型",
    "duty": "排班",
    "person": "人员",
    "department": "部门",
    "role": "角色",
    "operator": "控制台账号",
    "place": "地点",
    "door": "门牌码",
    "calendar": "工作日历",
    "case": "待处理",
    "notice": "通知",
    "setting": "参数",
    "audit": "稽核",
    "file": "文件",
}


# ---- values ---------------------------------------------------------------------------------------------------------


@bp.get("/settings")
def get_settings() -> Any:
    """Every value the office may change, with the rule it comes from."""
    if not may("setting.see"):
        for deed, endpoint in (
            ("role.see", "get_roles"),
            ("calendar.see", "get_calendar"),
            ("operator.edit", "get_operators"),
        ):
            if may(deed):
                return go(endpoint)
    with reading() as s:
        lines = office.settings(s, by=me())
    return render_template("console/settings/values.html", lines=lines, units=UNITS, unit_of=_unit_of)


@bp.post("/settings/<key>")
def post_setting(key: str) -> Any:
    """From now on that value is in force; the change is audited."""
    by, now, form = me(), clock.now(), request.form
    which = REGISTRY.get(key)
    if which is None:
        raise NotFound("没有这个参数", key=key[:64])
    raw: Any = strip(form.get("value"))
    if form.get("default"):
        raw = None
    elif isinstance(which.default, bool):
        raw = form.get("value") == "y"
    elif isinstance(which.default, timedelta):
        try:
            raw = float(raw) * int(form.get("unit", "1"))
        except (ValueError, OverflowError):
            raise Invalid(fields={key: "请填写数字"}) from None
        if not 0 <= raw <= 3650 * 86400:
            raise Invalid(fields={key: "应在 0 到 10 年之间"})
    elif isinstance(which.default, list):
        raw = [strip(part) for part in raw.replace("、", ",").replace(",", ",").split(",") if strip(part)]
    run(lambda s: office.change_setting(s, key=key, value=raw, by=by, now=now))
    return go("get_settings", f"“{which.title or key}”已修改，立即生效")


def _unit_of(value: timedelta) -> tuple[str, str]:
    """The value in its largest whole unit: ("15", "60")."""
    seconds = value.total_seconds()
    size = next((size for size in UNITS if seconds and seconds % int(size) == 0), "1")
    return f"{seconds / int(size):g}", size


# ---- roles ----------------------------------------------------------------------------------------------------------


@bp.get("/settings/roles")
def get_roles() -> Any:
    """Every role with what it may do."""
    with reading() as s:
        require(s, me(), "role.see")
        return render_template("console/settings/roles.html", roles=access.roles(s), titles=TITLES, areas=_by_area())


@bp.post("/settings/roles")
@fresh
def post_role() -> Any:
    by, now, form = me(), clock.now(), request.form
    name, title = strip(form.get("name")), strip(form.get("title"))
    if not title:
        raise Invalid(fields={"title": "请填写名称"})
    run(lambda s: access.add_role(s, name=name, title=title, deeds=form.getlist("deed"), by=by, now=now))
    return go("get_roles", f"“{title}”已添加")


@bp.post("/settings/roles/<name>")
@fresh
def post_role_edit(name: str) -> Any:
    """The role holds exactly these deeds from now on."""
    by, now, form = me(), clock.now(), request.form
    title = strip(form.get("title")) or None
    role = run(lambda s: access.set_role_deeds(s, role=name, deeds=form.getlist("deed"), title=title, by=by, now=now))
    return go("get_roles", f"“{role.title}”已保存，立即生效")


def _by_area() -> dict[str, list[tuple[str, str]]]:
    areas: dict[str, list[tuple[str, str]]] = {}
    for deed, title in TITLES.items():
        if deed != "*":
            areas.setdefault(AREAS.get(deed.split(".")[0], deed.split(".")[0]), []).append((deed, title))
    return areas


# ---- the working calendar -------------------------------------------------------------------------------------------


@bp.get("/settings/calendar")
def get_calendar() -> Any:
    """A year at a glance: holidays, make-up workdays, hours of the week, terms (P9)."""
    today = clock.campus_day(clock.now())
    year = request.args.get("year", today.year, type=int)
    if not 2000 <= year <= 2100:
        raise Invalid(fields={"year": "年份有误"})
    with reading() as s:
        require(s, me(), "calendar.see")
        marked = {row.day: row for row in calendar.days(s, year)}
        months = [_month(s, year, month, marked) for month in range(1, 13)]
        week: dict[int, list[str]] = {weekday: [] for weekday in range(7)}
        for row in calendar.hours(s):
            week[row.weekday].append(f"{row.opens}-{row.closes}")
        terms = calendar.terms(s)
    return render_template(
        "console/settings/calendar.html",
        year=year,
        months=months,
        week=week,
        weekdays=WEEKDAYS,
        terms=terms,
        edited=sorted(marked.values(), key=lambda row: row.day),
        today=today,
    )


def _month(s: Any, year: int, month: int, marked: Any) -> list[Any]:
    """The days of the month in weeks; None before the first."""
    first = date(year, month, 1)
    days: list[Any] = [None] * first.weekday()
    day = first
    while day.month == month:
        days.append((day, calendar.is_workday(s, day), marked.get(day)))
        day += timedelta(days=1)
    return days


@bp.post("/settings/calendar/day")
def post_day() -> Any:
    by, now, form = me(), clock.now(), request.form
    day = day_of(form.get("day"))
    if day is None:
        raise Invalid(fields={"day": "请选择日期"})
    run(lambda s: calendar.set_day(s, day=day, kind=form.get("kind", ""), name=form.get("name", ""), by=by, now=now))
    undo = url_for("console.post_day_unset", day=day.isoformat())
    return go("get_calendar", f"{day} 已设置", undo=undo, year=day.year)


@bp.post("/settings/calendar/day/<day>/unset")
def post_day_unset(day: str) -> Any:
    by, now, which = me(), clock.now(), day_of(day)
    if which is None:
        raise NotFound
    run(lambda s: calendar.unset_day(s, day=which, by=by, now=now))
    return go("get_calendar", f"{which} 恢复按星期", year=which.year)


@bp.post("/settings/calendar/hours")
def post_hours() -> Any:
    """One weekday's stretches of working time, written as 08:00-12:00 14:00-17:30."""
    by, now, form = me(), clock.now(), request.form
    weekday = form.get("weekday", -1, type=int)
    text = (
        strip(form.get("hours"))
        .replace("—", "-")
        .replace("–", "-")
        .replace(":", ":")
        .replace(",", " ")
        .replace(",", " ")
    )
    stretches = [tuple(part.split("-")) for part in text.split()]
    if any(len(stretch) != 2 for stretch in stretches):
        raise Invalid(fields={"hours": "请写成 08:00-12:00 14:00-17:30"})
    run(lambda s: calendar.set_hours(s, weekday=weekday, stretches=stretches, by=by, now=now))
    return go("get_calendar", "工作时间已保存")


@bp.post("/settings/calendar/terms")
def post_term() -> Any:
    by, now, form = me(), clock.now(), request.form
    starts_on, ends_on = day_of(form.get("starts_on")), day_of(form.get("ends_on"))
    if starts_on is None or ends_on is None:
        raise Invalid(fields={"starts_on": "请选择开始和结束日期"})
    run(
        lambda s: calendar.set_term(
            s,
            name=form.get("name", ""),
            kind=form.get("kind", ""),
            starts_on=starts_on,
            ends_on=ends_on,
            by=by,
            now=now,
        )
    )
    return go("get_calendar", "学期已保存", year=starts_on.year)


# ---- who may sign in ------------------------------------------------------------------------------------------------


@bp.get("/settings/operators")
def get_operators() -> Any:
    """Who signs in with a password; what she may do is decided by her roles (P7)."""
    with reading() as s:
        rows = operators.operators(s, by=me())
    return render_template("console/settings/operators.html", rows=rows, now=clock.now())


@bp.post("/settings/operators")
@fresh
def post_operator() -> Any:
    """The person signs in here from now on; the code for the authenticator is shown once."""
    by, now, form = me(), clock.now(), request.form

    def make(s: Any) -> tuple[str, Person]:
        person = s.get_one(Person, id_of(s, strip(form.get("campus_no"))))
        uri = operators.make_operator(s, person_id=person.id, password=form.get("password", ""), by=by, now=now)
        return uri, person

    uri, person = run(make)
    return _once(uri, person)


@bp.post("/settings/operators/<campus_no>/<any(disable, enable):deed>")
@fresh
def post_operator_off(campus_no: str, deed: str) -> Any:
    by, now = me(), clock.now()
    rule = operators.disable_operator if deed == "disable" else operators.enable_operator
    run(lambda s: rule(s, person_id=id_of(s, campus_no), by=by, now=now))
    undo = url_for("console.post_operator_off", campus_no=campus_no, deed="enable") if deed == "disable" else ""
    return go("get_operators", "已停用，并已退出登录" if deed == "disable" else "已启用", undo=undo)


@bp.post("/settings/operators/<campus_no>/password")
@fresh
def post_operator_password(campus_no: str) -> Any:
    by, now, password = me(), clock.now(), request.form.get("password", "")
    run(lambda s: operators.set_password(s, person_id=id_of(s, campus_no), password=password, by=by, now=now))
    return go("get_operators", "密码已重设，该账号已退出登录")


@bp.post("/settings/operators/<campus_no>/totp")
@fresh
def post_operator_totp(campus_no: str) -> Any:
    """A new authenticator secret for somebody who lost her phone, shown once."""
    by, now = me(), clock.now()

    def enroll(s: Any) -> tuple[str, Person]:
        person = s.get_one(Person, id_of(s, campus_no))
        return operators.enroll_totp(s, person_id=person.id, by=by, now=now), person

    uri, person = run(enroll)
    return _once(uri, person)


@bp.post("/account/password")
def post_own_password() -> Any:
    """My password is this one; my other sessions here are over."""
    by, now, form = me(), clock.now(), request.form
    if form.get("password") != form.get("again"):
        raise Invalid(fields={"again": "两次输入不一致"})
    run(
        lambda s: operators.set_password(
            s, person_id=by.person_id, password=form.get("password", ""), old=form.get("old", ""), by=by, now=now
        )
    )
    return go("get_account", "密码已修改，其他设备已退出")


@bp.post("/account/totp")
@fresh
def post_own_totp() -> Any:
    """A new authenticator of mine, shown once."""
    by, now = me(), clock.now()

    def enroll(s: Any) -> tuple[str, Person]:
        return operators.enroll_totp(s, person_id=by.person_id, by=by, now=now), s.get_one(Person, by.person_id)

    uri, person = run(enroll)
    return _once(uri, person)


def _once(uri: str, person: Person) -> ResponseReturnValue:
    """The page that shows an authenticator secret once; it is kept nowhere else."""
    secret = uri.split("secret=", 1)[1].split("&", 1)[0]
    return render_template("console/settings/secret.html", qr=qr_data(uri), secret=secret, person=person)
