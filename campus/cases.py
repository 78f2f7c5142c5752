"""Cases: what could not be settled by itself and an operator must look at. DESIGN §2.

Every kind says what may be done about it; an action is one rule, run in the same transaction. An area registers its
own kinds beside its rules. One open case per kind and thing it is about. Money cases live in `payments.cases`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core import ids, log
from core.db import hold, insert_once
from core.errors import Conflict, Invalid, NotFound
from models import outbox
from models.access import Actor, require
from models.audit import audit
from models.cases import Case

_log = log.get(__name__)

Deed = Callable[[Session, Case, Actor, datetime], None]


class CaseSettled(Conflict):
    code, text = "case_settled", "这件事已经处理过了"


@dataclass(frozen=True)
class Action:
    """What an operator can do about a case: its title and the rule that does it."""

    title: str
    deed: Deed


@dataclass(frozen=True)
class CaseKind:
    """One kind of case with its words and actions. `deed` is the permission that settling it needs."""

    name: str
    title: str
    actions: Mapping[str, Action] = field(default_factory=dict)
    deed: str = "case.settle"


KINDS: dict[str, CaseKind] = {}


def register(kind: CaseKind) -> CaseKind:
    """The kind exists from now on."""
    KINDS[kind.name] = kind
    return kind


def open_case(s: Session, kind: str, *, about: str, now: datetime, **facts: Any) -> Case:
    """An operator will see it. One that is open already for the same thing is returned as it stands."""
    if kind not in KINDS:
        raise KeyError(f"case kind {kind!r} is not registered")
    case = Case(no=ids.new("AJ", now), kind=kind, about=about[:190], facts=facts, opened_at=now, live=True)
    if insert_once(s, case):
        _log.warning("case opened", case=case.no, kind=kind, about=about)
        return case
    return s.scalars(sa.select(Case).where(Case.kind == kind, Case.about == about[:190], Case.live.is_(True))).one()


def list_cases(
    s: Session,
    *,
    by: Actor,
    kind: str | None = None,
    open_only: bool = True,
    cursor: int | None = None,
    limit: int = 50,
) -> Sequence[Case]:
    """Cases, newest first, those with a smaller id than `cursor`."""
    require(s, by, "case.see")
    query = sa.select(Case).order_by(Case.id.desc()).limit(max(1, min(limit, 200)))
    if open_only:
        query = query.where(Case.live.is_(True))
    if kind:
        query = query.where(Case.kind == kind)
    return s.scalars(query.where(Case.id < cursor) if cursor else query).all()


def case_by_no(s: Session, *, no: str, by: Actor) -> Case:
    """One case. Raises NotFound."""
    require(s, by, "case.see")
    if (case := s.scalars(sa.select(Case).where(Case.no == no)).one_or_none()) is None:
        raise NotFound(case=no)
    return case


def actions_of(case: Case) -> Mapping[str, Action]:
    """What may still be done about it: nothing once it is settled."""
    return KINDS[case.kind].actions if case.live and case.kind in KINDS else {}


def settle_case(s: Session, *, no: str, action: str, reason: str, by: Actor, now: datetime) -> Case:
    """The case is settled by that action, which has been done. Raises CaseSettled, Invalid."""
    case = hold(s, Case, no=no)
    require(s, by, KINDS[case.kind].deed if case.kind in KINDS else "case.settle")
    if not case.live:
        raise CaseSettled(case=no)
    chosen = actions_of(case).get(action)
    if chosen is None:
        raise Invalid(fields={"action": "不能这样处理"})
    if not reason.strip():
        raise Invalid(fields={"reason": "请写明处理原因"})
    chosen.deed(s, case, by, now)
    close(s, case, action=action, reason=reason.strip()[:2000], by_id=by.person_id, now=now)
    audit(
        s, by, "case.settle", f"case:{no}", now=now,
        before={"kind": case.kind, "about": case.about}, after={"action": action, "reason": case.reason},
    )  # fmt: skip
    return case


def close(s: Session, case: Case, *, action: str, reason: str, by_id: int | None, now: datetime) -> None:
    """The case is no longer open. Rules call it when the thing settled itself after all (`by_id` None)."""
    case.action, case.reason, case.settled_by, case.settled_at, case.live = action, reason, by_id, now, None
    s.flush()


def settle_itself(s: Session, kind: str, *, about: str, reason: str, now: datetime) -> bool:
    """The open case about that thing is closed because it is no longer one. False when there was none."""
    query = sa.select(Case).where(Case.kind == kind, Case.about == about[:190], Case.live.is_(True)).with_for_update()
    if (case := s.scalars(query).one_or_none()) is None:
        return False
    close(s, case, action="by_itself", reason=reason, by_id=None, now=now)
    return True


# ---- debts that could not be paid --------------------------------------------------------------------------------


def _retry(s: Session, case: Case, by: Actor, now: datetime) -> None:
    outbox.reopen(s, case.about, now=now)


def _let_go(s: Session, case: Case, by: Actor, now: datetime) -> None:
    debt = hold(s, outbox.Debt, key=case.about)
    if debt.state is outbox.DebtState.OWED:
        raise Conflict("正在重试，请稍后再看", key=case.about)
    debt.state, debt.settled_at, debt.in_doubt = outbox.DebtState.LET_GO, now, False


register(
    CaseKind(
        "debt_stuck",
        "对外请求未完成",
        {"retry": Action("先查询再重试", _retry), "let_go": Action("不再处理", _let_go)},
    )
)
