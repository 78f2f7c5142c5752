"""Signing in: password with a time-based code, or the campus sign-on. FEATURES P7; OWASP ASVS 2.2, 7.

Number, password and code are asked together, so an answer never says which of them was wrong. Signing in always
begins a new session and a new form cookie, whatever the browser brought along.
"""

from typing import Any
from urllib.parse import urlsplit

from flask import Response, flash, g, redirect, render_template, request, session, url_for
from flask_wtf import FlaskForm
from wtforms import PasswordField, StringField
from wtforms.validators import DataRequired, Length

from campus import operators, sessions
from console.frame import DOOR, OPEN, bp, forget_session, go, keep_session, me
from console.limits import SIGN_IN, limiter
from core import clock, crypto
from core.db import reading, run
from core.errors import Forbidden, Invalid, NotFound, PlatformError
from core.house import house
from core.web import client_ip
from models.access import LoginSession, Operator
from models.people import Person

OPEN |= {"console.get_sign_in", "console.post_sign_in", "console.get_sso", "console.get_sso_return"}
SSO_KEPT = "sso"


class SignInForm(FlaskForm):
    campus_no = StringField("工号", [DataRequired("请输入工号"), Length(max=64)])
    password = PasswordField("密码", [DataRequired("请输入密码"), Length(max=256)])
    code = StringField("动态码", [DataRequired("请输入动态码"), Length(max=16)])


@bp.get("/sign-in")
def get_sign_in() -> Any:
    """The sign-in page; somebody who is signed in goes on."""
    if g.by is not None:
        return redirect(safe_next(request.args.get("next")))
    return render_template(
        "console/sign_in.html", form=SignInForm(), sso=house().platforms.sso, next=request.args.get("next", "")
    )


@bp.post("/sign-in")
@limiter.limit(SIGN_IN)
def post_sign_in() -> Any:
    """Number, password and code are right: a new session begins."""
    form = SignInForm()
    if not form.validate():
        raise Invalid(fields=form.errors)
    now = clock.now()
    token = run(
        lambda s: operators.sign_in(
            s,
            campus_no=form.campus_no.data.strip(),
            password=form.password.data,
            code="".join(form.code.data.split()),
            now=now,
            ip=client_ip(),
            agent=request.user_agent.string,
        )
    )
    return _begin(token, request.form.get("next"))


@bp.get("/sign-in/sso")
@limiter.limit(SIGN_IN)
def get_sso() -> Any:
    """Off to the campus sign-on; what ties its answer to this browser waits in the signed cookie."""
    sso = house().platforms.sso
    if sso is None:
        raise NotFound("没有配置统一身份认证")
    login = sso.login_url(house().config.server.base_url + url_for("console.get_sso_return"), crypto.token(16))
    session[SSO_KEPT] = {**login.stored, "next": request.args.get("next", "")}
    return redirect(login.url)


@bp.get("/sign-in/sso/return")
@limiter.limit(SIGN_IN)
def get_sso_return() -> Any:
    """The campus sign-on says who it is; an operator of the console is signed in."""
    sso = house().platforms.sso
    kept = session.pop(SSO_KEPT, None)
    if sso is None or kept is None:
        raise Forbidden("登录请求已失效，请重新登录")
    back = kept.pop("next", "")
    try:
        who = sso.identity(request.args, kept)
    except PlatformError as why:
        flash(f"统一身份认证没有成功（{why.code}），请重试", "bad")
        return redirect(url_for("console.get_sign_in"), 303)
    now, ip, agent = clock.now(), client_ip(), request.user_agent.string
    token = run(lambda s: operators.sign_in_by_sso(s, campus_no=who.campus_no, now=now, ip=ip, agent=agent))
    return _begin(token, back)


@bp.post("/sign-out")
def post_sign_out() -> Any:
    """This session is over."""
    run(lambda s: sessions.end_session(s, g.session.id, now=clock.now()))
    session.clear()
    flash("已退出登录", "ok")
    return forget_session(redirect(url_for("console.get_sign_in"), 303))


def _begin(token: str, back: str | None) -> Any:
    session.clear()  # a form cookie from before belongs to nobody
    where = safe_next(back)
    if request.headers.get("HX-Request") == "true":
        return keep_session(Response(status=204, headers={"HX-Redirect": where}), token)
    return keep_session(redirect(where, 303), token)


def safe_next(back: str | None) -> str:
    """A page of the console, whatever was asked for."""
    parts = urlsplit(back or "")
    inside = url_for("console.get_overview")
    if (
        not back
        or parts.scheme
        or parts.netloc
        or not parts.path.startswith(inside)
        or "\\" in back
        or "//" in parts.path
    ):
        return inside
    return back


# ---- my account ---------------------------------------------------------------------------------------------------------


@bp.get("/account")
def get_account() -> Any:
    """My sessions and my second factor."""
    by = me()
    now = clock.now()
    with reading() as s:
        person = s.get_one(Person, by.person_id)
        operator = s.query(Operator).filter_by(person_id=by.person_id).one_or_none()
        open_now = (
            s.query(LoginSession)
            .filter(
                LoginSession.person_id == by.person_id,
                LoginSession.ended_at.is_(None),
                LoginSession.expires_at > now,
            )
            .order_by(LoginSession.seen_at.desc())
            .all()
        )
    return render_template(
        "console/account.html", person=person, operator=operator, sessions=open_now, current=g.session.id, door=DOOR
    )


@bp.post("/account/sign-out-everywhere")
def post_sign_out_everywhere() -> Any:
    """Every session of mine at every door is over, this one too."""
    by = me()
    run(lambda s: sessions.end_all(s, by.person_id, now=clock.now()))
    session.clear()
    flash("已在所有设备上退出", "ok")
    return forget_session(go("get_sign_in"))
