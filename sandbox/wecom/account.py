"""WeCom's tokens, media, menu and addresses (PROTOCOLS 3.1, 3.2)."""

from typing import Any

from flask import Blueprint, request

from sandbox.answers import OK, Refusal, api, body
from sandbox.settings import Account
from sandbox.tokens import bearer, mint, newest
from sandbox.wechat import menu
from sandbox.wechat.users import media_file, upload_media
from sandbox.world import Row, World

routes = Blueprint("wecom_account", __name__)


@routes.get("/cgi-bin/gettoken")
@api
def gettoken(w: World) -> Row:
    """The token of a corp and secret: the same one while it is good."""
    corp, secret = request.args.get("corpid", ""), request.args.get("corpsecret", "")
    if not corp:
        raise Refusal(41002, "corpid missing")
    if not secret:
        raise Refusal(41004, "corpsecret missing")
    ours = [a for a in w.accounts() if a.wecom and a.app_id == corp]
    if not ours:
        raise Refusal(40013, "invalid corpid")
    account = next((a for a in ours if a.secret == secret), None)
    if account is None:
        raise Refusal(40001, "invalid credential")
    held = newest(w, account, "corp")
    if held:
        left = held["expires_at"] - w.clock.second()
        return {**OK, "access_token": held["token"], "expires_in": left}
    return {**OK, **mint(w, account, "corp")}


def of_app(w: World) -> Account:
    """The app's account: its own token is needed, not the contacts'."""
    return bearer(w, "wecom")


def agent(account: Account, given: Any) -> None:
    """The agentid is the app's; 40056 otherwise."""
    if str(given) != str(account.agent_id):
        raise Refusal(40056, "invalid agentid")


@routes.get("/cgi-bin/getcallbackip")
@routes.get("/cgi-bin/get_api_domain_ip")
@api
def getcallbackip(w: World) -> Row:
    """Where callbacks come from."""
    bearer(w, "wecom", "wecom_contacts")
    return {"ip_list": ["127.0.0.1"], **OK}


@routes.get("/cgi-bin/get_jsapi_ticket")
@api
def get_jsapi_ticket(w: World) -> Row:
    """The corporation's jsapi_ticket, the same for two hours."""
    account = of_app(w)
    key, now = f"ticket:{account.name}:jsapi", w.clock.second()
    held = w.store.value(key)
    if not held or held["until"] <= now:
        held = {"ticket": w.dice.text("jsapi_ticket", 86), "until": now + 7200}
        w.store.keep(key, held)
    return {**OK, "ticket": held["ticket"], "expires_in": held["until"] - now}


@routes.post("/cgi-bin/media/upload")
@api
def upload(w: World) -> Row:
    """A medium, good for three days."""
    of_app(w)
    made = upload_media(w, "wecom", request.args.get("type", ""))
    return {**OK, **made, "created_at": str(made["created_at"])}


@routes.get("/cgi-bin/media/get")
@api
def get_media(w: World) -> Any:
    """The file itself."""
    of_app(w)
    return media_file(w, "wecom")


@routes.get("/cgi-bin/agent/get")
@api
def agent_get(w: World) -> Row:
    """The app as its administrator set it up."""
    account = of_app(w)
    agent(account, request.args.get("agentid"))
    members = w.store.all("select wecom_userid from person where wecom_userid is not null and crowd = 0")
    return {
        **OK,
        "agentid": account.agent_id,
        "name": "后勤通",
        "square_logo_url": "",
        "description": "",
        "allow_userinfos": {"user": [{"userid": m["wecom_userid"]} for m in members]},
        "close": 0,
        "redirect_domain": w.settings.oauth_domains[0] if w.settings.oauth_domains else "",
    }


@routes.post("/cgi-bin/menu/create")
@api
def menu_create(w: World) -> Row:
    """The app's menu is published."""
    account = of_app(w)
    agent(account, request.args.get("agentid"))
    return menu.publish(w, account, body())


@routes.get("/cgi-bin/menu/get")
@api
def menu_get(w: World) -> Row:
    """The app's menu."""
    account = of_app(w)
    agent(account, request.args.get("agentid"))
    found = w.store.value(f"menu:{account.name}")
    if not found:
        raise Refusal(46003)
    return {**OK, **found}


@routes.get("/cgi-bin/menu/delete")
@api
def menu_delete(w: World) -> Row:
    """The app has no menu."""
    account = of_app(w)
    agent(account, request.args.get("agentid"))
    w.store.run("delete from value where key = ?", f"menu:{account.name}")
    return dict(OK)
