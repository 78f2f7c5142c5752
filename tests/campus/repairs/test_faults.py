"""The fault tree: edited by the office, offered by what is common. FEATURES R4."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from campus.repairs import faults
from campus.repairs.faults import FaultForm
from core.db import database, reading, run
from core.errors import Forbidden, Invalid
from models.audit import AuditLine
from models.repairs import DispatchWay, FaultType
from tests.campus.repairs.kit import audited
from tests.kit import NOON, actor, make_fault, make_person


@pytest.fixture
def editor(office):
    return actor(make_person("管理员", kind="staff", roles=("admin",)), "console")


def add(by, code="drain", **form):
    return run(
        lambda s: faults.add_fault(s, code=code, form=FaultForm(**({"name": "下水道堵"} | form)), by=by, now=NOON)
    )


def test_the_office_adds_edits_retires_and_restores_and_each_leaves_a_line(office, editor):
    add(editor, trade="water", dispatch_way="least_load")
    run(
        lambda s: faults.edit_fault(
            s, code="drain", form=FaultForm(name="下水道堵塞", finish_minutes=60), by=editor, now=NOON
        )
    )
    run(lambda s: faults.retire_fault(s, code="drain", by=editor, now=NOON))
    with reading() as s:
        assert faults.fault_named(s, "drain") is None
    run(lambda s: faults.restore_fault(s, code="drain", by=editor, now=NOON))
    with reading() as s:
        assert faults.fault_named(s, "drain").name == "下水道堵塞"
        line = s.scalars(sa.select(AuditLine).where(AuditLine.deed == "fault.edit")).one()
    assert (line.before["name"], line.after["name"], line.before["finish_minutes"]) == ("下水道堵", "下水道堵塞", 1440)
    assert [audited(f"fault.{deed}") for deed in ("add", "edit", "retire", "restore")] == [1, 1, 1, 1]


def test_only_the_office_edits(office):
    for person in (office.student, office.worker, office.desk):
        with pytest.raises(Forbidden):
            add(actor(person))
    with reading() as s:
        assert s.scalar(sa.select(sa.func.count()).select_from(FaultType)) == 1


@pytest.mark.parametrize(
    ("form", "field"),
    [
        ({"name": " "}, "name"),
        ({"parent": "no such"}, "parent"),
        ({"priority": "whenever"}, "priority"),
        ({"dispatch_way": "by magic"}, "dispatch_way"),
        ({"finish_minutes": 0}, "finish_minutes"),
        ({"rank": -1}, "rank"),
        ({"priority": "emergency"}, "emergency_phone"),
    ],
)
def test_a_wrong_field_is_named(office, editor, form, field):
    with pytest.raises(Invalid) as refused:
        add(editor, **form)
    assert field in refused.value.facts["fields"]


def test_a_code_is_taken_once(office, editor):
    with pytest.raises(faults.CodeTaken):
        add(editor, code="tap")


def test_a_branch_cannot_hang_below_itself(office, editor):
    add(editor, code="a")
    add(editor, code="b", parent="a")
    with pytest.raises(Invalid):
        run(lambda s: faults.edit_fault(s, code="a", form=FaultForm(name="a", parent="b"), by=editor, now=NOON))


def test_retiring_a_branch_retires_what_is_below(office, editor):
    add(editor, code="a")
    add(editor, code="b", parent="a")
    run(lambda s: faults.retire_fault(s, code="a", by=editor, now=NOON))
    with reading() as s:
        assert [node.fault.code for node in faults.tree(s)] == ["tap"]
        assert [node.fault.code for node in faults.tree(s, with_retired=True)] == ["tap", "a"]


def test_the_tree_keeps_the_offices_order(office, editor):
    add(editor, code="water", name="水", rank=1)
    add(editor, code="w2", parent="water", rank=2)
    add(editor, code="w1", parent="water", rank=1)
    with reading() as s:
        water = faults.tree(s)[0]
    assert [node.fault.code for node in water.children] == ["w1", "w2"]


# ---- the commonest -----------------------------------------------------------------------------------------------------


def common(place, now=NOON, n=6):
    with reading() as s:
        return [fault.code for fault in faults.common_at(s, place, n, now=now)]


def many(*codes):
    for rank, code in enumerate(codes):
        make_fault(code, f"问题{code}", rank=rank)


def test_without_history_the_offices_order_counts(either_office):
    many("a", "b", "c", "d", "e", "f", "g")
    assert common(either_office.room) == ["a", "b", "c", "d", "e", "f"]


def test_what_rooms_reported_most_stands_first_and_old_history_does_not_count(either_office):
    many("a", "b", "c")
    for _ in range(2):
        either_office.file(fault_code="c")
    either_office.file(fault_code="b")
    for _ in range(5):
        either_office.file(fault_code="a", now=NOON - timedelta(days=91))
    assert common(either_office.room, now=NOON + timedelta(minutes=1)) == ["c", "b", "a", "tap"]
    assert common(either_office.building) == ["a", "b", "c", "tap"]  # another kind of place


def test_the_order_is_counted_every_five_minutes_and_asked_for_in_one_statement(office):
    many("a", "b")
    assert common(office.room)[0] == "a"
    office.file(fault_code="b")
    said: list[str] = []
    sa.event.listen(database().engine, "before_cursor_execute", lambda *args: said.append(args[2].split()[0]))
    assert common(office.room, now=NOON + timedelta(minutes=4))[0] == "a"
    assert said == ["BEGIN", "SELECT"]
    assert common(office.room, now=NOON + timedelta(minutes=5))[0] == "b"


def test_a_retired_fault_is_never_offered_and_a_new_name_at_once(office):
    many("a", "b")
    assert common(office.room)[:2] == ["a", "b"]
    run(lambda s: s.execute(sa.update(FaultType).where(FaultType.code == "a").values(retired_at=NOON)))
    assert common(office.room)[0] == "b"


# ---- exact words -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("水龙头漏水", "tap"),
        (" 水 龙 头 漏 水。", "tap"),
        ("TAP", "tap"),
        ("ｔａｐ", "tap"),
        ("水龙头漏", None),
        ("水龙头漏水了", None),
        ("", None),
    ],
)
def test_a_fault_is_known_by_its_exact_name_or_code_only(office, typed, code):
    with reading() as s:
        fault = faults.match(s, typed)
    assert (fault.code if fault else None) == code


def test_two_faults_of_one_name_are_none(office):
    make_fault("tap2", "水龙头漏水")
    with reading() as s:
        assert faults.match(s, "水龙头漏水") is None


def test_every_way_of_dispatch_can_be_chosen(office, editor):
    for way in DispatchWay:
        assert add(editor, code=way, dispatch_way=way).dispatch_way is way
