"""Deeds that give somebody power take a fresh proof: the time-based code, typed within the last ten minutes. ASVS 7.5.

Who signed in by the campus sign-on and has no authenticator proves it by having signed in within ten minutes.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import wraps
from typing import Any, TypeVar

from flask import g, render_template, request, session
from sqlalchemy import select

from campus import operators
from console.frame import bp, by_htmx, go, me
from console.limits import SIGN_IN, limiter
from core import clock
from core.db import reading, run
from core.errors import Forbidden
from models.access import Operator

View = TypeVar("View", bound=Callable[..., Any])
GOOD_FOR = timedelta(minutes=10)
KEPT = "proved"


class ProofNeeded(Forbidden):
    code, text = "proof_needed", "这个操作需要先验证动态码"


def fresh(view: View) -> View:
    """The deed is done only when the operator has proved lately who she is. Raises ProofNeeded."""

    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        if not is_fresh(clock.now()):
            raise ProofNeeded(has_code=has_code())
        return view(*args, **kwargs)

    return guarded  # type: ignore[return-value]  # the view, wrapped


def is_fresh(now: datetime) -> bool:
    """Whether this session began, or was proved, within the last ten minutes."""
    proved = session.get(KEPT)
    if isinstance(proved, list) and len(proved) == 2 and proved[0] == g.session.id:
        at = datetime.fromtimestamp(float(proved[1]), tz=clock.CAMPUS)
        if timedelta(0) <= now - at <= GOOD_FOR:
            return True
    return timedelta(0) <= now - g.session.opened_at <= GOOD_FOR


def has_code() -> bool:
    """Whether the operator has an authenticator to prove it with."""
    with reading() as s:
        sealed = s.scalar(select(Operator.totp_sealed).where(Operator.person_id == me().person_id))
    return sealed is not None


@bp.get("/prove")
def get_prove() -> Any:
    return render_template("console/prove.html", has_code=has_code())


@bp.post("/prove")
@limiter.limit(SIGN_IN)
def post_prove() -> Any:
    """The code is right: dangerous deeds work for ten minutes in this session."""
    by, now = me(), clock.now()
    run(lambda s: operators.check_totp(s, person_id=by.person_id, code=request.form.get("code", ""), now=now))
    session[KEPT] = [g.session.id, now.timestamp()]
    if by_htmx() and request.form.get("stay"):
        return render_template("console/parts/proved.html")
    return go("get_account", "已验证，10 分钟内可以继续刚才的操作")
