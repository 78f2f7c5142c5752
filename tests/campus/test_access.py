"""Roles, grants and their limits (P6)."""

import pytest
import sqlalchemy as sa

from campus import access, people
from core.db import reading, run
from core.errors import BindingNeeded, Forbidden, Invalid
from models.access import REQUESTER, ROLES, SYSTEM, Role, RoleGrant, may
from models.audit import AuditLine
from models.people import Department, Person
from models.places import Resident
from tests.kit import NOON, actor, make_person, make_place


def grant(person, role, by=SYSTEM, **where):
    return run(lambda s: access.grant_role(s, person_id=person.id, role=role, by=by, now=NOON, **where))


def live_in(person, place):
    run(lambda s: s.add(Resident(person_id=person.id, place_id=place.id, since=NOON)))


def department(code, parent=None):
    return run(lambda s: people.add_department(s, code=code, name=code, parent=parent, by=SYSTEM, now=NOON))


def can(person, deed, at=None):
    with reading() as s:
        return may(s, actor(person), deed, at=at)


@pytest.fixture
def roles(either_db):
    run(access.seed_roles)


def test_every_deed_has_a_title():
    assert REQUESTER.union(*(deeds for _, deeds in ROLES.values())) <= set(access.TITLES)


def test_the_refusal_names_the_missing_permission_in_chinese(roles):
    lin = make_person("林小雨")
    with pytest.raises(Forbidden) as why:
        run(lambda s: people.find_people(s, by=actor(lin)))
    assert why.value.detail == "没有权限：查看人员（person.see）"
    with pytest.raises(BindingNeeded):
        run(lambda s: people.find_people(s, by=actor(None)))


def test_seeding_again_keeps_what_the_office_edited(roles):
    run(lambda s: access.set_role_deeds(s, role="worker", deeds=["repair.work"], by=SYSTEM, now=NOON))
    run(access.seed_roles)
    with reading() as s:
        assert s.get(Role, "worker").deeds == ["repair.work"]


def test_a_grant_for_one_building_reaches_its_rooms_and_nothing_else(roles):
    d12 = make_place("D12", kind="building")
    room, other = make_place("D12-402", under=d12), make_place("D1-101")
    guard = make_person("楼管", kind="staff")
    grant(guard, "building_manager", place_id=d12.id)
    assert can(guard, "person.see", room)
    assert not can(guard, "person.see", other)
    assert not can(guard, "person.see")


def test_who_is_granted_a_building_finds_only_the_people_who_live_there(roles):
    d12 = make_place("D12", kind="building")
    lin, chen = make_person("林小雨"), make_person("陈思远")
    live_in(lin, make_place("D12-402", under=d12))
    guard = make_person("楼管", kind="staff")
    grant(guard, "building_manager", place_id=d12.id)
    with reading() as s:
        assert [one.id for one in people.find_people(s, by=actor(guard))] == [lin.id]
        assert people.person_card(s, person_id=lin.id, by=actor(guard)).person.id == lin.id
        with pytest.raises(Forbidden):
            people.person_card(s, person_id=chen.id, by=actor(guard))


def test_who_is_granted_a_college_finds_only_its_people(roles):
    top = department("U")
    inside, outside = department("X01", "U"), department("X02", "U")
    lin = make_person("林小雨", department_id=inside.id)
    make_person("陈思远", department_id=outside.id)
    tutor = make_person("辅导员", kind="staff", department_id=top.id)
    grant(tutor, "counsellor", department_id=inside.id)
    with reading() as s:
        assert [one.id for one in people.find_people(s, by=actor(tutor))] == [lin.id]


def test_granting_twice_is_one_grant_and_taking_back_ends_it(roles):
    wang = make_person("王建国", kind="worker")
    first, second = grant(wang, "worker"), grant(wang, "worker")
    assert first.id == second.id
    assert can(wang, "repair.work")
    for _ in range(2):
        run(lambda s: access.take_back_role(s, grant_id=first.id, by=SYSTEM, now=NOON))
    assert not can(wang, "repair.work")
    assert grant(wang, "worker").id != first.id
    with reading() as s:
        assert (
            s.scalar(sa.select(sa.func.count()).select_from(AuditLine).where(AuditLine.deed == "role.take_back")) == 1
        )


def test_nobody_hands_out_more_than_she_has(roles):
    run(
        lambda s: access.add_role(
            s, name="granter", title="授权员", deeds=["role.grant", "role.edit", "repair.see"], by=SYSTEM, now=NOON
        )
    )
    boss, lin = make_person("授权员", kind="staff"), make_person("林小雨")
    grant(boss, "granter")
    with pytest.raises(access.MoreThanOwn) as why:
        grant(boss, "admin", by=actor(boss, "console"))
    assert "全部操作" in why.value.detail
    with pytest.raises(access.MoreThanOwn):
        run(
            lambda s: access.set_role_deeds(
                s, role="granter", deeds=["role.grant", "role.edit", "audit.see"], by=actor(boss, "console"), now=NOON
            )
        )
    assert not can(boss, "audit.see")
    with reading() as s:
        assert s.scalar(sa.select(sa.func.count()).select_from(RoleGrant)) == 1
    grant(lin, "granter", by=actor(boss, "console"))
    assert can(lin, "repair.see")


def test_the_last_administrator_stays(roles):
    zhou, zhao = make_person("周卫东", kind="staff"), make_person("赵敏", kind="staff")
    only = grant(zhou, "admin")
    with pytest.raises(access.LastAdmin):
        run(lambda s: access.take_back_role(s, grant_id=only.id, by=SYSTEM, now=NOON))
    with pytest.raises(access.LastAdmin):
        run(lambda s: access.set_role_deeds(s, role="admin", deeds=["repair.see"], by=SYSTEM, now=NOON))
    with pytest.raises(access.LastAdmin):
        run(lambda s: people.edit_person(s, person_id=zhou.id, status="left", by=SYSTEM, now=NOON))
    assert can(zhou, "audit.see")
    grant(zhao, "admin")
    run(lambda s: access.take_back_role(s, grant_id=only.id, by=SYSTEM, now=NOON))
    assert not can(zhou, "audit.see")


def test_a_deed_nobody_knows_is_refused(roles):
    with pytest.raises(Invalid):
        run(lambda s: access.set_role_deeds(s, role="worker", deeds=["repair.fly"], by=SYSTEM, now=NOON))


def test_find_people_by_number_name_and_whole_phone_number(roles):
    lin = make_person("林小雨", campus_no="2023010101", phone="13800010101")
    make_person("陈思远", campus_no="2023010102", phone="13800010102")

    def find(q, **more):
        with reading() as s:
            return [one.name for one in people.find_people(s, q=q, by=SYSTEM, **more)]

    assert find("20230101") == ["林小雨", "陈思远"]
    assert find("小雨") == find("13800010101") == ["林小雨"]
    assert find("1380001") == find("%") == []
    assert find("", cursor=lin.id) == ["陈思远"]
    assert find("", kind="staff") == []


def test_editing_a_person_needs_the_permission_there_and_leaves_a_line_without_the_number(roles):
    department("X01")
    lin = make_person("林小雨", phone="13800010101")
    zhao = make_person("赵敏", kind="staff", roles=("dispatcher",))
    with pytest.raises(Forbidden):
        run(lambda s: people.edit_person(s, person_id=lin.id, name="改名", by=actor(zhao, "console"), now=NOON))
    with reading() as s:
        assert s.get(Person, lin.id).name == "林小雨"
    run(lambda s: people.edit_person(s, person_id=lin.id, phone="13900000000", department="X01", by=SYSTEM, now=NOON))
    with reading() as s:
        line = s.scalars(sa.select(AuditLine).where(AuditLine.deed == "person.edit")).one()
        assert line.before == {"department": None, "phone": "138****0101"}
        assert line.after == {"department": "X01", "phone": "139****0000"}


def test_a_department_knows_its_leader_and_its_place_in_the_tree(roles):
    department("HQ")
    department("HQ-WX", "HQ")
    zhou = make_person("周卫东", campus_no="T1002", kind="staff")
    run(lambda s: people.edit_department(s, code="HQ", leader_no="T1002", by=SYSTEM, now=NOON))
    with reading() as s:
        hq, inner = people.departments(s)
        assert (hq.leader_id, inner.path) == (zhou.id, f"/{hq.id}/{inner.id}/")
        assert s.scalar(sa.select(sa.func.count()).select_from(Department)) == 2
