"""Cases: what an operator must look at (DESIGN 2)."""

from collections import Counter
from datetime import timedelta

import pytest
import sqlalchemy as sa

from campus import cases
from core.db import reading, run
from core.errors import Conflict, Forbidden, Invalid
from models import outbox
from models.audit import AuditLine
from models.cases import Case
from tests.kit import NOON, actor, make_person

KEY = "meter.credit:DF1"


def stuck(state=outbox.DebtState.CASE):
    """A debt that could not be paid, and its case."""

    def make(s):
        outbox.owe(s, "meter.credit", key=KEY, due_at=NOON)
        s.execute(sa.update(outbox.Debt).values(state=state, settled_at=NOON, in_doubt=False, attempts=8))
        return cases.open_case(s, "debt_stuck", about=KEY, now=NOON, topic="meter.credit", answer="silence")

    return run(make)


def settle(case, by, action="retry", reason="对方已恢复"):
    return run(
        lambda s: cases.settle_case(
            s, no=case.no, action=action, reason=reason, by=actor(by, "console"), now=NOON + timedelta(hours=1)
        )
    )


def debt():
    with reading() as s:
        return s.scalars(sa.select(outbox.Debt)).one()


@pytest.fixture
def zhao(either_db):
    return make_person("赵敏", kind="staff", roles=("dispatcher",))


def test_one_open_case_per_thing(zhao):
    first, second = stuck(), stuck()
    assert first.no == second.no
    settle(first, zhao)
    assert stuck().no != first.no


def test_retrying_owes_the_debt_again_in_doubt_so_that_the_platform_is_asked_first(zhao):
    case = settle(stuck(), zhao)
    row = debt()
    assert (row.state, row.in_doubt, row.attempts) == ("owed", True, 0)
    assert (case.live, case.action, case.settled_by) == (None, "retry", zhao.id)
    with reading() as s:
        line = s.scalars(sa.select(AuditLine).where(AuditLine.deed == "case.settle")).one()
        assert line.after == {"action": "retry", "reason": "对方已恢复"}


def test_letting_go_settles_it_for_good(zhao):
    settle(stuck(), zhao, "let_go", "已人工处理")
    assert debt().state == "let_go"


def test_a_debt_that_is_being_paid_is_not_let_go(zhao):
    case = stuck(outbox.DebtState.OWED)
    with pytest.raises(Conflict):
        settle(case, zhao, "let_go")
    with reading() as s:
        assert s.scalars(sa.select(Case)).one().live


@pytest.mark.parametrize(("action", "reason"), [("explode", "为什么"), ("retry", "  ")])
def test_without_a_known_action_and_a_reason_nothing_happens(zhao, action, reason):
    case = stuck()
    with pytest.raises(Invalid):
        settle(case, zhao, action, reason)
    assert debt().state == "case"
    with reading() as s:
        assert s.scalars(sa.select(Case)).one().live


def test_a_settled_case_is_not_settled_again(zhao):
    case = stuck()
    settle(case, zhao)
    with pytest.raises(cases.CaseSettled):
        settle(case, zhao, "let_go")
    assert debt().state == "owed"


@pytest.mark.race
def test_two_operators_settle_it_once(mariadb, rush):
    zhao = make_person("赵敏", kind="staff", roles=("dispatcher",))
    case = stuck()
    answers = rush(lambda _: settle(case, zhao), range(6))
    assert Counter(map(type, answers)) == {Case: 1, cases.CaseSettled: 5}


def test_who_may_not_sees_and_settles_nothing(zhao):
    lin = make_person("林小雨")
    case = stuck()
    with pytest.raises(Forbidden) as why:
        settle(case, lin)
    assert "处理待处理事项" in why.value.detail
    with pytest.raises(Forbidden), reading() as s:
        cases.list_cases(s, by=actor(lin))
    assert debt().state == "case"


def test_the_list_shows_the_open_ones_newest_first_page_by_page(zhao):
    made = [run(lambda s, n=n: cases.open_case(s, "debt_stuck", about=f"k{n}", now=NOON)) for n in range(3)]
    run(lambda s: cases.settle_itself(s, "debt_stuck", about="k1", reason="已自行恢复", now=NOON))
    with reading() as s:
        by = actor(zhao, "console")
        assert [case.about for case in cases.list_cases(s, by=by)] == ["k2", "k0"]
        assert [case.about for case in cases.list_cases(s, by=by, cursor=made[2].id, open_only=False)] == ["k1", "k0"]
        assert list(cases.list_cases(s, by=by, kind="content_held")) == []
        assert cases.actions_of(cases.case_by_no(s, no=made[1].no, by=by)) == {}


def test_a_kind_nobody_registered_is_a_bug(zhao):
    with pytest.raises(KeyError):
        run(lambda s: cases.open_case(s, "nonsense", about="x", now=NOON))
