"""The demo campus: believable, whole, the same from the same seed."""

import tomllib
from collections import Counter
from datetime import timedelta

import pyotp
import pytest
import sqlalchemy as sa

from campus import access, calendar, demo, notices, operators, people, places
from campus.demo.faults import EMERGENCIES, TREE
from campus.notices import check_mapping
from core import clock
from core import db as core_db
from core.db import reading, run
from models.access import RoleGrant, roles_of
from models.base import Base
from models.notices import TemplateMap
from models.people import Department, Follower, Identity, Person
from models.places import DoorCode, Place, Resident
from models.repairs import AreaDuty, FaultType, RepairState, Shift, Ticket, TicketStep, WorkerTrade
from sandbox import settings
from tests.kit import NOON

PASSWORD = "Vt7-kq2-Zp9x"


@pytest.fixture(scope="session")
def box(tmp_path_factory):
    directory = tmp_path_factory.mktemp("box")
    settings.write(directory, service="http://127.0.0.1:8000", url="http://127.0.0.1:8001", seed=1)
    return tomllib.loads((directory / "sandbox.toml").read_text("utf-8"))


def build(sandbox=None, *, students=200, tickets=300, seed=1, now=NOON):
    return run(
        lambda s: demo.build(
            s, now=now, students=students, tickets=tickets, seed=seed, password=PASSWORD, sandbox=sandbox
        )
    )


def count(model, *where):
    with reading() as s:
        return s.scalar(sa.select(sa.func.count()).select_from(model).where(*where))


def everybody():
    with reading() as s:
        return {person.campus_no: person for person in s.scalars(sa.select(Person))}


def test_the_six_of_the_stories_are_there(either_db, box):
    build(box)
    there = everybody()
    for number, name, kind in [
        ("2023010101", "林小雨", "student"),
        ("2023010102", "陈思远", "student"),
        ("G2001", "王建国", "worker"),
        ("G2002", "李秀兰", "worker"),
        ("T1001", "赵敏", "staff"),
        ("T1002", "周卫东", "staff"),
    ]:
        assert (there[number].name, there[number].kind) == (name, kind)
    assert Counter(person.name for person in there.values() if person.name in {"林小雨", "赵敏"}) == {
        "林小雨": 1,
        "赵敏": 1,
    }
    with reading() as s:
        home = s.scalar(sa.select(Place.code).join(Resident).where(Resident.person_id == there["2023010101"].id))
        assert home == "D12-402"
        d12 = places.place_by_code(s, "D12")
        duty = {row.trade: row.person_id for row in s.scalars(sa.select(AreaDuty).where(AreaDuty.place_id == d12.id))}
        assert (duty["plumbing"], duty["electric"]) == (there["G2001"].id, there["G2002"].id)
        assert roles_of(s, there["T1001"].id) == ["dispatcher"]
        assert "admin" in roles_of(s, there["T1002"].id)


def test_all_but_the_newcomer_are_bound_as_the_sandbox_has_them(db, box):
    build(box)
    keys = {one["key"]: one for one in box["person"]}
    with reading() as s:
        for key, one in keys.items():
            known = people.person_known_as(s, people.Known("mini", one["mini_openid"]))
            assert (known.name if known else None) == (None if key == "chen" else one["name"])
        follower = s.scalars(sa.select(Follower).where(Follower.openid == keys["lin"]["official_openid"])).one()
        assert follower.follows
        assert s.scalar(sa.select(sa.func.count()).select_from(Identity).where(Identity.kind == "wecom")) == 4


def test_the_templates_of_the_sandbox_carry_the_repair_notices(db, box):
    build(box)
    ids = {one["id"] for section in ("official_account", "mini_program") for one in box[section]["template"]}
    with reading() as s:
        rows = s.scalars(sa.select(TemplateMap)).all()
        assert {(row.channel, row.kind) for row in rows} >= {
            (channel, kind)
            for channel in ("official", "mini")
            for kind in ("repair_taken", "repair_done", "repair_dispatched", "repair_refused")
        }
        for row in rows:
            assert row.template_id in ids
            check_mapping(notices.KINDS[row.kind], row.fields)


def test_both_operators_sign_in_with_what_was_printed(either_db):
    made = build()
    for one in made.sign_ins:
        code = pyotp.TOTP(one.totp_secret).at(NOON)
        assert run(
            lambda s, one=one, code=code: operators.sign_in(
                s, campus_no=one.campus_no, password=one.password, code=code, now=NOON, ip="127.0.0.1", agent="test"
            )
        )


def test_a_given_authenticator_secret_is_used(db):
    secret = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
    made = run(
        lambda s: demo.build(s, now=NOON, students=20, tickets=0, password=PASSWORD, totp_secrets={"T1001": secret})
    )
    assert made.sign_ins[0].totp_secret == secret
    assert made.sign_ins[1].totp_secret != secret


def snapshot():
    """Everything that may not differ: no fresh salt."""
    with reading() as s:
        return [
            s.execute(sa.select(*columns).order_by(columns[0])).all()
            for columns in (
                (Person.id, Person.campus_no, Person.name, Person.kind, Person.department_id, Person.phone_blind),
                (Place.id, Place.code, Place.label, Place.path, Place.water_riser, Place.lat),
                (DoorCode.id, DoorCode.code, DoorCode.place_id),
                (Resident.id, Resident.person_id, Resident.place_id, Resident.bed),
                (AreaDuty.id, AreaDuty.place_id, AreaDuty.trade, AreaDuty.person_id),
                (Ticket.id, Ticket.no, Ticket.state, Ticket.place_id, Ticket.worker_id, Ticket.filed_at, Ticket.text),
                (TicketStep.id, TicketStep.action, TicketStep.at, TicketStep.person_id),
                (RoleGrant.id, RoleGrant.person_id, RoleGrant.role, RoleGrant.place_id),
            )
        ]


def test_the_same_seed_gives_the_same_school_and_another_seed_another(tmp_path):
    shots = []
    for turn, seed in enumerate((1, 1, 2)):
        database = core_db.connect(f"sqlite:///{tmp_path}/{turn}.db")
        Base.metadata.create_all(database.engine)
        build(seed=seed)
        shots.append(snapshot())
        database.dispose()
    assert shots[0] == shots[1]
    assert all(shots[0][part] != shots[2][part] for part in (0, 2, 5))  # people, door codes, tickets


def test_it_is_put_into_an_empty_database_only(db):
    build(students=20, tickets=0)
    before = count(Person)
    with pytest.raises(demo.NotEmpty):
        build(students=20, tickets=0)
    assert count(Person) == before


def test_the_past_holds_every_state_and_nothing_of_it_lies_in_the_future(either_db):
    build(tickets=1500)
    with reading() as s:
        states = set(s.scalars(sa.select(Ticket.state).distinct()))
        assert states == set(RepairState)
        assert s.scalar(sa.select(sa.func.max(TicketStep.at))) < NOON
        assert s.scalar(sa.select(sa.func.max(Ticket.filed_at))) < NOON
        assert s.scalar(sa.select(sa.func.min(Ticket.filed_at))) > NOON - timedelta(days=43)
        last = {}
        for step in s.scalars(sa.select(TicketStep).order_by(TicketStep.ticket_id, TicketStep.id)):
            before = last.get(step.ticket_id)
            if before is not None:
                assert (step.from_state, before.at <= step.at) == (before.to_state, True)
            last[step.ticket_id] = step
        for ticket in s.scalars(sa.select(Ticket)):
            waits_elsewhere = ticket.state in (RepairState.ON_HOLD, RepairState.AWAITING_APPROVAL)
            assert waits_elsewhere or last[ticket.id].to_state == ticket.state
            assert (ticket.worker_id is None) == (ticket.assigned_at is None)


def test_somebody_of_every_trade_is_on_shift_at_any_hour(db):
    build(students=20, tickets=0)
    with reading() as s:
        used = {leaf[2] for _, _, below in TREE for leaf in below} | {"emergency"}
        for hour in range(24):
            at = NOON + timedelta(hours=hour, minutes=30)
            trades = set(
                s.scalars(
                    sa.select(WorkerTrade.trade)
                    .join(Shift, Shift.person_id == WorkerTrade.person_id)
                    .where(Shift.starts_at <= at, Shift.ends_at > at)
                )
            )
            assert used <= trades, (hour, used - trades)


def test_the_tree_has_about_forty_leaves_and_three_emergencies_that_say_whom_to_call(db):
    build(students=20, tickets=0)
    with reading() as s:
        parents = {row.parent_id for row in s.scalars(sa.select(FaultType))}
        leaves = [row for row in s.scalars(sa.select(FaultType)) if row.id not in parents]
    assert 38 <= len(leaves) <= 48
    assert all(row.trade for row in leaves)
    urgent = [row for row in leaves if row.priority == "emergency"]
    assert {row.code for row in urgent} == {code for code, _, _ in EMERGENCIES}
    assert all(row.emergency_phone and row.emergency_text for row in urgent)
    wanted = {
        "aircon",
        "light",
        "socket",
        "tap",
        "toilet",
        "drain",
        "door_lock",
        "window",
        "bed",
        "network",
        "water_heater",
    }
    assert wanted <= {row.code for row in leaves}


def test_everybody_has_a_department_with_a_leader_and_the_calendar_knows_the_term(db):
    made = build(students=20, tickets=0)
    assert count(Person, Person.department_id.is_(None)) == 0
    assert count(Department, Department.leader_id.is_(None)) == 0
    with reading() as s:
        assert calendar.term_of(s, clock.campus_day(NOON)).kind == "term"
        assert len(access.roles(s)) >= 12
    assert made.not_announced in ([], [2027])


def test_the_default_school_has_its_size(db):
    made = build(students=demo.STUDENTS, tickets=0)
    assert 11_500 <= made.counts["person"] <= 12_500
    assert made.counts["resident"] == demo.STUDENTS
    assert count(Place, Place.kind == "campus") == 3
    assert count(Place, Place.kind == "building") == 40
    assert 5_500 <= count(Place, Place.kind == "room") <= 6_500
    assert count(Person, Person.kind == "worker") == 60


@pytest.mark.race
def test_forty_thousand_fit_too(mariadb):
    made = build(students=40_000, tickets=100)
    assert made.counts["resident"] == 40_000
    with reading() as s:
        assert s.scalar(sa.select(sa.func.max(sa.func.length(Person.campus_no)))) == 10
