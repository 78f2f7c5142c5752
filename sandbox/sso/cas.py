"""CAS 3.0: log-in page, tickets good once and for five minutes, serviceValidate with attributes."""

from html import escape
from urllib.parse import unquote

from flask import Blueprint, Response, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from sandbox.answers import Refusal
from sandbox.wechat.mini import issue, redeem
from sandbox.wechat.oauth import error_page, trusted, with_query
from sandbox.world import Row, World, world

routes = Blueprint("cas", __name__)
SESSION = "sandbox_tgc"
TICKET_LIFE_S = 300


def campus(w: World) -> list[Row]:
    """Everybody with a campus number."""
    return [p for p in w.people() if p["campus_no"]]


def chosen(w: World) -> Row | None:
    """Who answered the page: a button, or a campus number typed (the password is the number too)."""
    form = request.form
    if form.get("person"):
        return w.person(form["person"])
    number = form.get("username", "").strip()
    if number and form.get("password") == number:
        return next((p for p in campus(w) if p["campus_no"] == number), None)
    return None


def bare(service: str) -> str:
    """A service address without what CAS adds or browsers keep."""
    return unquote(service).partition("#")[0]


@routes.route("/login", methods=["GET", "POST"])
def login() -> AnyResponse:
    """Back to the service with a ticket, silently when this browser has signed in before."""
    w, service = world(), request.args.get("service", "")
    if service and not trusted(w, service):
        return error_page("INVALID_SERVICE", "不允许使用统一认证来认证您访问的目标应用")
    renew = request.args.get("renew") == "true"
    person, note = None, ""
    if request.method == "POST":
        person = chosen(w)
        note = "" if person else "用户名或密码有误"
    elif request.headers.get("X-Sandbox-Person"):
        person = w.person(request.headers["X-Sandbox-Person"])
    elif not renew:
        person = w.person(w.store.value(f"tgc:{request.cookies.get(SESSION, '')}", ""))
    if person is None:
        if request.args.get("gateway") == "true" and service:
            return redirect(service)
        return Response(render_template("sso.html", people=campus(w), note=note, title="统一身份认证"))
    if not service:
        answer = Response(render_template("error.html", code="", words=f"{person['name']}，您已登录"))
    else:
        with w.store.deed():
            code = issue(w, "cas", person["key"], 40, service=service, fresh=request.method == "POST")
        answer = redirect(with_query(service, ticket=f"ST-{code}"))
    if request.method == "POST":
        session = w.dice.text("tgc", 48)
        w.store.keep(f"tgc:{session}", person["key"])
        answer.set_cookie(SESSION, session, httponly=True, samesite="Lax", path="/sso/cas")
    return answer


@routes.get("/logout")
def logout() -> AnyResponse:
    """This browser is signed out; back to `service` when it is ours."""
    w, back = world(), request.args.get("service") or request.args.get("url") or ""
    answer: AnyResponse = Response(render_template("error.html", code="", words="您已退出统一身份认证"))
    if back and trusted(w, back):
        answer = redirect(back)
    w.store.run("delete from value where key = ?", f"tgc:{request.cookies.get(SESSION, '')}")
    answer.delete_cookie(SESSION, path="/sso/cas")
    return answer


def said(inner: str) -> Response:
    """A CAS document."""
    return Response(
        f'<cas:serviceResponse xmlns:cas="http://www.yale.edu/tp/cas">\n{inner}\n</cas:serviceResponse>\n',
        content_type="application/xml;charset=UTF-8",
    )


def failure(code: str, words: str) -> Response:
    """authenticationFailure."""
    return said(f'  <cas:authenticationFailure code="{code}">{escape(words)}</cas:authenticationFailure>')


@routes.get("/serviceValidate", defaults={"attributes": False})
@routes.get("/p3/serviceValidate", defaults={"attributes": True})
def service_validate(attributes: bool) -> Response:
    """Who the ticket belongs to, once, for the very service it was given for."""
    w = world()
    ticket, service = request.args.get("ticket", ""), request.args.get("service", "")
    if not ticket or not service:
        return failure("INVALID_REQUEST", "ticket and service are required")
    with w.store.deed():
        try:
            row = redeem(w, "cas", ticket.removeprefix("ST-"), life_s=TICKET_LIFE_S)
        except Refusal:
            return failure("INVALID_TICKET", f"Ticket {ticket} not recognized")
    if bare(row["extra"]["service"]) != bare(service):
        return failure("INVALID_SERVICE", f"Ticket {ticket} does not match supplied service")
    if request.args.get("renew") == "true" and not row["extra"]["fresh"]:
        return failure("INVALID_TICKET", "The ticket was not issued from a fresh log-in")
    person = w.person(row["person"]) or {}
    facts = {
        "isFromNewLogin": str(row["extra"]["fresh"]).lower(),
        "name": person["name"],
        "cn": person["name"],
        "userName": person["name"],
        "employeeNumber": person["campus_no"],
        "kind": person["kind"],
    }
    lines = "\n".join(f"      <cas:{k}>{escape(v)}</cas:{k}>" for k, v in facts.items())
    inner = f"\n    <cas:attributes>\n{lines}\n    </cas:attributes>" if attributes else ""
    return said(
        "  <cas:authenticationSuccess>\n"
        f"    <cas:user>{escape(person['campus_no'])}</cas:user>{inner}\n"
        "  </cas:authenticationSuccess>"
    )
