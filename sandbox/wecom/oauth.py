"""WeCom's web log-in (PROTOCOLS 3.7)."""

import re
from urllib.parse import unquote

from flask import Blueprint, Response, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from sandbox.answers import OK, Refusal, api, body
from sandbox.wechat.mini import issue, redeem
from sandbox.wechat.oauth import error_page, trusted, who, with_query
from sandbox.wecom.account import of_app
from sandbox.world import Row, World, world

routes = Blueprint("wecom_oauth", __name__)
QUERY = re.compile(
    r"appid=(?P<appid>[^&]+)&redirect_uri=(?P<redirect_uri>[^&]+)&response_type=code"
    r"&scope=(?P<scope>snsapi_base|snsapi_privateinfo)(&state=(?P<state>[a-zA-Z0-9]{0,128}))?(&agentid=(?P<agentid>\d+))?"
)
TICKET_LIFE_S = 1800


@routes.route("/connect/oauth2/authorize", methods=["GET", "POST"])
def authorize() -> AnyResponse:
    """Back to redirect_uri with a code."""
    w = world()
    account = w.account("wecom")
    found = QUERY.fullmatch(request.query_string.decode())
    if account is None or found is None:
        return error_page("40029", "此链接无法打开：参数的名称、大小写或顺序不符")
    asked = {k: unquote(v or "") for k, v in found.groupdict().items()}
    if asked["appid"] != account.app_id:
        return error_page("40013", "corpid 错误")
    if asked["scope"] == "snsapi_privateinfo" and asked["agentid"] != str(account.agent_id):
        return error_page("40056", "agentid 错误")
    if not trusted(w, asked["redirect_uri"]):
        return error_page("50001", "redirect_uri 不在可信域名内")
    person = w.person(request.form.get("person", "")) if request.method == "POST" else who(w)
    if person is None:
        people = [p for p in w.people() if p["wecom_userid"]]
        return Response(render_template("choose.html", people=people, title="企业微信登录", note=""))
    with w.store.deed():
        code = issue(w, "corp", person["key"], 43, scope=asked["scope"])
    return redirect(with_query(asked["redirect_uri"], code=code, state=asked["state"]))


@routes.get("/cgi-bin/auth/getuserinfo")
@api
def getuserinfo(w: World) -> Row:
    """The member behind a code, once; an outsider has an openid only."""
    of_app(w)
    row = redeem(w, "corp", request.args.get("code", ""), used=42022, expired=42003)
    person = w.person(row["person"]) or {}
    if not person.get("wecom_userid"):
        return {**OK, "openid": person.get("official_openid") or "", "external_userid": ""}
    more = {}
    if row["extra"]["scope"] == "snsapi_privateinfo":
        more = {"user_ticket": issue(w, "user_ticket", person["key"], 64), "expires_in": TICKET_LIFE_S}
    return {**OK, "userid": person["wecom_userid"], **more}


@routes.get("/cgi-bin/user/getuserinfo")
@api
def old_getuserinfo(w: World) -> Row:
    """The same on the path that older clients use, with capitalised names."""
    of_app(w)
    row = redeem(w, "corp", request.args.get("code", ""), used=42022, expired=42003)
    person = w.person(row["person"]) or {}
    if not person.get("wecom_userid"):
        return {**OK, "OpenId": person.get("official_openid") or "", "DeviceId": ""}
    return {**OK, "UserId": person["wecom_userid"], "DeviceId": ""}


@routes.post("/cgi-bin/auth/getuserdetail")
@api
def getuserdetail(w: World) -> Row:
    """Mobile and so on for a user_ticket."""
    of_app(w)
    row = w.store.one(
        "select * from code where code = ? and kind = 'user_ticket' and issued_at > ?",
        *(str(body().get("user_ticket", "")), w.clock.second() - TICKET_LIFE_S),
    )
    if row is None:
        raise Refusal(40095, "invalid user_ticket")
    person = w.person(row["person"]) or {}
    blank = dict.fromkeys(("avatar", "qr_code", "email", "biz_mail", "address"), "")
    return {**OK, "userid": person["wecom_userid"], "gender": "0", "mobile": person["phone"], **blank}
