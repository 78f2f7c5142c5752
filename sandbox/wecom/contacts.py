"""WeCom's contacts: the persons of the settings in one small school (PROTOCOLS 3.8)."""

from flask import Blueprint, request

from sandbox.answers import OK, Refusal, api, body
from sandbox.tokens import bearer
from sandbox.world import Row, World

routes = Blueprint("wecom_contacts", __name__)
DEPARTMENTS = (
    {"id": 1, "name": "演示大学", "name_en": "", "department_leader": [], "parentid": 0, "order": 100000000},
    {"id": 2, "name": "后勤处", "name_en": "", "department_leader": ["T1002"], "parentid": 1, "order": 100000},
    {"id": 3, "name": "维修中心", "name_en": "", "department_leader": [], "parentid": 2, "order": 99000},
)
HOME = {"staff": 2, "worker": 3, "driver": 3}


def readers(w: World) -> None:
    """The app may read; the contacts' own secret may not since 2022-08-15."""
    if bearer(w, "wecom", "wecom_contacts").name == "wecom_contacts":
        raise Refusal(48009, "api forbidden for this secret")


def staff(w: World) -> list[Row]:
    """Everybody with a userid."""
    return w.store.all("select * from person where wecom_userid is not null and crowd = 0 order by rowid")


def home(person: Row) -> int:
    """The department somebody belongs to."""
    return HOME.get(person["kind"], 1)


def chosen(w: World) -> list[Row]:
    """The members of the department asked for, not of those below it."""
    number = request.args.get("department_id", "")
    if number not in {str(d["id"]) for d in DEPARTMENTS}:
        raise Refusal(60123, "invalid party id")
    return [p for p in staff(w) if str(home(p)) == number]


def details(person: Row) -> Row:
    """A member as a self-built app of today sees one: no mobile, no email."""
    return {
        "userid": person["wecom_userid"],
        "name": person["name"],
        "department": [home(person)],
        "order": [0],
        "position": "",
        "status": 1,
        "isleader": int(person["wecom_userid"] == "T1002"),
        "is_leader_in_dept": [int(person["wecom_userid"] == "T1002")],
        "main_department": home(person),
        "open_userid": "",
    }


@routes.get("/cgi-bin/user/get")
@api
def user_get(w: World) -> Row:
    """One member."""
    readers(w)
    person = w.person_by("wecom_userid", request.args.get("userid", ""))
    if person is None:
        raise Refusal(60111, "invalid userid")
    return {**OK, **details(person)}


@routes.get("/cgi-bin/user/simplelist")
@api
def simplelist(w: World) -> Row:
    """Names of a department's members."""
    readers(w)
    keys = ("userid", "name", "department", "open_userid")
    return {**OK, "userlist": [{k: details(p)[k] for k in keys} for p in chosen(w)]}


@routes.get("/cgi-bin/user/list")
@api
def user_list(w: World) -> Row:
    """A department's members."""
    readers(w)
    return {**OK, "userlist": [details(p) for p in chosen(w)]}


@routes.post("/cgi-bin/user/list_id")
@api
def list_id(w: World) -> Row:
    """All ids; for the contacts' secret."""
    if bearer(w, "wecom", "wecom_contacts").name != "wecom_contacts":
        raise Refusal(48002, "api forbidden")
    body()
    return {
        **OK,
        "next_cursor": "",
        "dept_user": [{"userid": p["wecom_userid"], "department": home(p)} for p in staff(w)],
    }


def below() -> list[Row]:
    """The department asked for and those below it; without one, all."""
    number = request.args.get("id", "")
    if not number:
        return [dict(d) for d in DEPARTMENTS]
    if number not in {str(d["id"]) for d in DEPARTMENTS}:
        raise Refusal(60123, "invalid party id")
    wanted = {int(number)}
    for d in DEPARTMENTS:  # parents stand before children
        if d["parentid"] in wanted:
            wanted.add(int(str(d["id"])))
    return [dict(d) for d in DEPARTMENTS if d["id"] in wanted]


@routes.get("/cgi-bin/department/list")
@api
def department_list(w: World) -> Row:
    """The departments."""
    readers(w)
    return {**OK, "department": below()}


@routes.get("/cgi-bin/department/simplelist")
@api
def department_simplelist(w: World) -> Row:
    """The departments' ids."""
    bearer(w, "wecom", "wecom_contacts")
    return {**OK, "department_id": [{k: d[k] for k in ("id", "parentid", "order")} for d in below()]}
