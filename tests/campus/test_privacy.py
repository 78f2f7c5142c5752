"""What a person can see of what is stored about her (P8)."""

import pytest
import sqlalchemy as sa

import models  # noqa: F401  makes every table known
from campus import demo, people
from campus.people import stored
from core.db import reading, run
from core.errors import BindingNeeded
from models.base import Base
from models.people import BindCode, Person
from tests.kit import NOON, actor, bind, make_person


def test_every_table_is_handed_out_or_said_to_hold_nothing_personal():
    covered = {model.__tablename__ for model in stored.TABLES} | set(stored.NOTHING_PERSONAL)
    assert covered == set(Base.metadata.tables)


def test_no_table_said_to_hold_nothing_personal_points_at_a_person():
    for name in stored.NOTHING_PERSONAL:
        targets = {key.target_fullname for key in Base.metadata.tables[name].foreign_keys}
        assert "person.id" not in targets, name


def test_a_person_gets_everything_of_her_own_and_nothing_of_others(either_db):
    run(lambda s: demo.build(s, now=NOON, students=60, tickets=200, password="Vt7-kq2-Zp9x"))
    with reading() as s:
        people_of = {row.campus_no: row for row in s.scalars(sa.select(Person))}
        lin, wang = people_of["2023010101"], people_of["G2001"]
        hers = people.own_data(s, by=actor(lin))
        his = people.own_data(s, by=actor(wang))
    assert hers["person"][0]["phone"] == "13800010101"
    assert hers["resident"][0]["bed"] == "1号床"
    assert {row["requester_id"] for row in hers["ticket"]} <= {lin.id}
    assert all(his[name] for name in ("worker_trade", "shift", "area_duty", "role_grant"))
    assert all(row["person_id"] == wang.id for name in ("shift", "role_grant", "worker_trade") for row in his[name])
    assert all(row["worker_id"] == wang.id for row in his["ticket"])
    assert "13800010101" not in str(his)


def test_a_worker_does_not_get_the_contact_of_his_tickets_with_his_own_data(db):
    run(lambda s: demo.build(s, now=NOON, students=60, tickets=200, password="Vt7-kq2-Zp9x"))
    with reading() as s:
        wang = s.scalars(sa.select(Person).where(Person.campus_no == "G2001")).one()
        his = people.own_data(s, by=actor(wang))["ticket"]
        assert his
        assert all(row.get("contact_phone") is None for row in his if row["requester_id"] != wang.id)


def test_what_proves_who_she_is_is_not_handed_out(db):
    lin = make_person("林小雨", phone="13800010101")
    bind(lin, "mini", "omini-lin")
    token, _ = run(
        lambda s: people.sign_in(
            s, identity=people.Known("mini", "omini-lin"), way="mini", now=NOON, ip="127.0.0.1", agent="test"
        )
    )
    run(lambda s: s.add(BindCode(person_id=lin.id, code_hash="c" * 32, issued_at=NOON, expires_at=NOON)))
    with reading() as s:
        hers = people.own_data(s, by=actor(lin))
        assert hers["identity"][0]["subject"] == "omini-lin"
        assert hers["login_session"][0]["way"] == "mini"
        assert "token_hash" not in hers["login_session"][0]
        assert "code_hash" not in hers["bind_code"][0]
        assert token not in str(hers)
        with pytest.raises(BindingNeeded):
            people.own_data(s, by=actor(None))


def test_me_shows_department_home_roles_and_consent(db):
    run(lambda s: demo.build(s, now=NOON, students=60, tickets=0, password="Vt7-kq2-Zp9x"))
    with reading() as s:
        lin = s.scalars(sa.select(Person).where(Person.campus_no == "2023010101")).one()
        me = people.me(s, by=actor(lin))
        assert (me.person.name, me.department, me.home.code) == ("林小雨", "计算机学院", "D12-402")
        assert "repair.file" in me.permissions
        assert me.consents == {}
