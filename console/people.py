"""人员: search, card, edit, roles, one-time codes, phone numbers for a reason, departments. FEATURES P1–P3, P6, P8."""

from typing import Any

import sqlalchemy as sa
from flask import render_template, request, url_for
from wtforms import StringField
from wtforms.validators import DataRequired, Length

from campus import access, office, people, places
from console.forms import Choice, Form, strip, whole_number
from console.frame import bp, go, may, me
from console.limits import REVEAL, limiter
from console.shown import KINDS
from core import clock
from core.db import found, reading, run
from core.errors import NotFound
from models.access import LoginSession
from models.deeds import title_of
from models.people import Department, Person, PersonKind, PersonStatus

PAGE = 50


class PersonForm(Form):
    campus_no = StringField("学工号", [DataRequired("请填写学工号"), Length(max=64)])
    name = StringField("姓名", [DataRequired("请填写姓名"), Length(max=64)])
    kind = Choice("类别", KINDS[PersonKind])
    department = Choice("部门", empty="（无）", validate_choice=False)
    phone = StringField("手机号", [Length(max=20)])


class EditForm(Form):
    name = StringField("姓名", [DataRequired("请填写姓名"), Length(max=64)])
    kind = Choice("类别", KINDS[PersonKind])
    status = Choice("状态", KINDS[PersonStatus])
    department = Choice("部门", empty="（无）", validate_choice=False)


@bp.get("/people")
def get_people() -> Any:
    """People the operator may see, by what was typed and chosen."""
    args = request.args
    cursor = whole_number(args.get("cursor"), "cursor")
    with reading() as s:
        rows = people.find_people(
            s,
            by=me(),
            q=args.get("q", ""),
            kind=_one_of(PersonKind, args.get("kind")),
            status=_one_of(PersonStatus, args.get("status")),
            department=args.get("department") or None,
            role=args.get("role") or None,
            cursor=cursor,
            limit=PAGE + 1,
        )
        tree = people.departments(s)
        return render_template(
            "console/people/list.html",
            rows=rows[:PAGE],
            next=rows[PAGE - 1].id if len(rows) > PAGE else None,
            first=cursor is None,
            departments=_shown_tree(tree),
            names={row.id: row.name for row in tree},
            role_titles=[(role.name, role.title) for role in access.roles(s)],
        )


@bp.get("/people/new")
def get_new_person() -> Any:
    with reading() as s:
        form = PersonForm(kind="staff")
        form.department.offer(_shown_tree(people.departments(s)))
    return render_template("console/people/new.html", form=form)


@bp.post("/people")
def post_person() -> Any:
    """The person is of the campus."""
    form = PersonForm().filled()
    by, now = me(), clock.now()
    person = run(
        lambda s: people.add_person(
            s,
            campus_no=strip(form.campus_no.data),
            name=strip(form.name.data),
            kind=form.kind.data,
            department=form.department.value,
            phone=strip(form.phone.data) or None,
            by=by,
            now=now,
        )
    )
    return go("get_person", f"已添加 {person.name}", campus_no=person.campus_no)


@bp.get("/people/<campus_no>")
def get_person(campus_no: str) -> Any:
    """One person's card."""
    by, now = me(), clock.now()
    with reading() as s:
        card = people.person_card(s, person_id=id_of(s, campus_no), by=by)
        form = EditForm(
            name=card.person.name,
            kind=str(card.person.kind),
            status=str(card.person.status),
            department=card.department.code if card.department else "",
        )
        tree = _shown_tree(people.departments(s))
        form.department.offer(tree)
        signed_in = (
            s.scalars(
                sa.select(LoginSession)
                .where(
                    LoginSession.person_id == card.person.id,
                    LoginSession.ended_at.is_(None),
                    LoginSession.expires_at > now,
                )
                .order_by(LoginSession.seen_at.desc())
                .limit(20)
            ).all()
            if card.may_edit
            else []
        )
        return render_template(
            "console/people/card.html",
            card=card,
            person=card.person,
            form=form,
            roles=access.roles(s),
            departments=tree,
            sessions=signed_in,
            title_of=title_of,
            may_grant=may("role.grant"),
        )


@bp.post("/people/<campus_no>")
def post_person_edit(campus_no: str) -> Any:
    """What the form says about the person holds from now on."""
    form = EditForm().filled()
    by, now = me(), clock.now()
    person = run(
        lambda s: people.edit_person(
            s,
            person_id=id_of(s, campus_no),
            name=strip(form.name.data),
            kind=form.kind.data,
            status=form.status.data,
            department=form.department.data or "",
            by=by,
            now=now,
        )
    )
    return go("get_person", f"{person.name} 的资料已保存", campus_no=campus_no)


@bp.post("/people/<campus_no>/set-phone")
def post_person_phone(campus_no: str) -> Any:
    """The person's phone number is this one; an empty one removes it."""
    by, now = me(), clock.now()
    phone = strip(request.form.get("phone"))
    run(lambda s: people.edit_person(s, person_id=id_of(s, campus_no), phone=phone, by=by, now=now))
    return go("get_person", "手机号已保存" if phone else "手机号已删除", campus_no=campus_no)


@bp.post("/people/<campus_no>/phone")
@limiter.limit(REVEAL)
def post_reveal_phone(campus_no: str) -> Any:
    """The whole number, for a reason that stays in the audit (P8)."""
    by, now, reason = me(), clock.now(), request.form.get("reason", "")
    phone = run(lambda s: people.reveal_phone(s, person_id=id_of(s, campus_no), reason=reason, by=by, now=now))
    return render_template("console/parts/revealed.html", phone=phone)


@bp.post("/people/<campus_no>/code")
@limiter.limit(REVEAL)
def post_code(campus_no: str) -> Any:
    """A one-time code, shown once (P3)."""
    by, now = me(), clock.now()
    code = run(lambda s: people.issue_code(s, person_id=id_of(s, campus_no), by=by, now=now))
    return render_template("console/people/code.html", code=code, campus_no=campus_no)


@bp.post("/people/<campus_no>/sign-out")
def post_person_sign_out(campus_no: str) -> Any:
    """Every session of the person is over, for somebody who lost her phone (P7)."""
    by, now = me(), clock.now()
    ended = run(lambda s: office.sign_out_everywhere(s, person_id=id_of(s, campus_no), by=by, now=now))
    return go("get_person", f"已退出 {ended} 个登录", campus_no=campus_no)


@bp.post("/people/<campus_no>/grants")
def post_grant(campus_no: str) -> Any:
    """The person has the role, everywhere or below one place or department (P6)."""
    by, now, form = me(), clock.now(), request.form

    def grant(s: Any) -> Any:
        place = places.place_by_code(s, form["place"]) if form.get("place") else None
        department = found(s, Department, code=form["department"]) if form.get("department") else None
        return access.grant_role(
            s,
            person_id=id_of(s, campus_no),
            role=form.get("role", ""),
            place_id=place.id if place else None,
            department_id=department.id if department else None,
            by=by,
            now=now,
        )

    row = run(grant)
    undo = url_for("console.post_take_back", campus_no=campus_no, grant_id=row.id)
    return go("get_person", "角色已授予", undo=undo, campus_no=campus_no)


@bp.post("/people/<campus_no>/grants/<int:grant_id>/take-back")
def post_take_back(campus_no: str, grant_id: int) -> Any:
    """The grant no longer counts."""
    by, now = me(), clock.now()
    run(lambda s: access.take_back_role(s, grant_id=grant_id, by=by, now=now))
    return go("get_person", "角色已收回", campus_no=campus_no)


@bp.get("/people/suggest")
def get_suggest_people() -> Any:
    """A few people for what was typed, as a picker wants them."""
    with reading() as s:
        if not strip(request.args.get("q")):
            return []
        rows = people.find_people(s, by=me(), q=request.args["q"], status=PersonStatus.ACTIVE, limit=8)
        return [{"value": row.campus_no, "label": row.name, "hint": row.campus_no} for row in rows]


# ---- departments ----------------------------------------------------------------------------------------------------


@bp.get("/departments")
def get_departments() -> Any:
    """The department tree with leaders and head counts."""
    with reading() as s:
        people.find_people(s, by=me(), limit=1)  # who may not see people does not see how they are ordered
        tree = people.departments(s)
        leaders = s.scalars(sa.select(Person).where(Person.id.in_([row.leader_id for row in tree if row.leader_id])))
        counted = s.execute(
            sa.select(Person.department_id, sa.func.count())
            .where(Person.status == PersonStatus.ACTIVE)
            .group_by(Person.department_id)
        ).all()
        return render_template(
            "console/people/departments.html",
            tree=_shown_tree(tree),
            rows=tree,
            leaders={row.id: row for row in leaders},
            heads=dict(counted),
        )


@bp.post("/departments")
def post_department() -> Any:
    by, now, form = me(), clock.now(), request.form
    run(
        lambda s: people.add_department(
            s, code=form.get("code", ""), name=form.get("name", ""), parent=form.get("parent") or None, by=by, now=now
        )
    )
    return go("get_departments", "部门已添加")


@bp.post("/departments/<code>")
def post_department_edit(code: str) -> Any:
    by, now, form = me(), clock.now(), request.form
    run(
        lambda s: people.edit_department(
            s, code=code, name=form.get("name"), leader_no=form.get("leader_no", ""), by=by, now=now
        )
    )
    return go("get_departments", "部门已保存")


def _shown_tree(rows: Any) -> list[tuple[str, str]]:
    """Codes and names in tree order, set in by depth."""
    return [(row.code, "　" * (row.path.count("/") - 2) + row.name) for row in rows]


def id_of(s: Any, campus_no: str) -> int:
    """The id of the person with that number. Raises NotFound."""
    person_id = s.scalar(sa.select(Person.id).where(Person.campus_no == campus_no))
    if person_id is None:
        raise NotFound("没有这个人", campus_no=campus_no[:64])
    return int(person_id)


def _one_of(kind: Any, text: str | None) -> Any:
    """The member that was chosen; None for none, or for one that is not there."""
    return kind(text) if text in set(kind) else None
