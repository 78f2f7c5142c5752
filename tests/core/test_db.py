import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from core import db
from core.db import found
from core.errors import Conflict, NotFound
from models.people import Department
from models.places import Place
from tests.kit import make_place


def test_a_rule_that_raises_has_changed_nothing(either_db):
    def rule(s):
        s.add(Department(code="hq", name="后勤处"))
        s.flush()
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        db.run(rule)
    with db.reading() as s:
        assert s.scalar(sa.select(sa.func.count(Department.id))) == 0


def test_reading_refuses_to_write(either_db):
    with db.reading() as s:
        s.add(Department(code="hq", name="后勤处"))
        with pytest.raises(RuntimeError, match="reading"):
            s.flush()


def test_insert_once_says_no_the_second_time_and_undoes_nothing_else(either_db):
    def rule(s):
        first = db.insert_once(s, Department(code="hq", name="后勤处"))
        s.add(Department(code="net", name="网络中心"))
        return first, db.insert_once(s, Department(code="hq", name="冒名"))

    assert db.run(rule) == (True, False)
    with db.reading() as s:
        assert sorted(s.scalars(sa.select(Department.name))) == ["后勤处", "网络中心"]


def test_a_lock_timeout_runs_the_whole_rule_again_at_most_three_times(db):
    tries = []

    def rule(s):
        tries.append(1)
        raise OperationalError("UPDATE", {}, Exception(1213, "Deadlock found"))

    with pytest.raises(Exception, match="系统繁忙"):
        db.run(rule)
    assert len(tries) == 3


def test_what_is_not_there_is_not_found(db):
    make_place("D1")
    with db.reading() as s, pytest.raises(NotFound):
        found(s, Place, code="D2")


@pytest.mark.race
def test_hold_makes_the_second_caller_wait_and_see_what_the_first_did(mariadb, rush):
    mariadb.run(lambda s: s.add(Department(code="hq", name="0")))

    def count_up(_):
        def rule(s):
            row = db.hold(s, Department, code="hq")
            row.name = str(int(row.name) + 1)

        mariadb.run(rule)

    assert [answer for answer in rush(count_up, range(40), threads=16) if answer is not None] == []
    with mariadb.reading() as s:
        assert s.scalar(sa.select(Department.name)) == "40"


@pytest.mark.race
def test_the_count_would_be_wrong_without_hold(mariadb, rush):
    mariadb.run(lambda s: s.add(Department(code="hq", name="0")))

    def count_up(_):
        def rule(s):
            row = s.scalars(sa.select(Department)).one()
            row.name = str(int(row.name) + 1)

        mariadb.run(rule)

    rush(count_up, range(200), threads=16)
    with mariadb.reading() as s:
        assert int(s.scalar(sa.select(Department.name))) < 200


def test_a_counted_refusal_keeps_what_it_wrote_and_any_other_does_not(either_db):
    class Counted(Conflict):
        counted = True

    def refuse(s, code, kind):
        s.add(Department(code=code, name=code))
        s.flush()
        raise kind

    for code, kind in (("kept", Counted), ("gone", Conflict)):
        with pytest.raises(kind):
            db.run(lambda s, code=code, kind=kind: refuse(s, code, kind))
    with db.reading() as s:
        assert s.scalars(sa.select(Department.code)).all() == ["kept"]
