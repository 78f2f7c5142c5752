"""What ties the demo campus to a sandbox: bound identities, followers, consents, and which template carries what."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from campus import notices, repairs  # noqa: F401  importing the repairs registers their kinds of notice
from campus.demo.crowd import LEADS, Crowd, Lead
from campus.demo.rows import Rows
from campus.notices import CannotFit, check_mapping
from campus.privacy import PRIVACY, PRIVACY_KIND
from models.notices import Channel, TemplateMap
from models.people import Consent, Follower, Identity, IdentityKind, PersonKind

NEWCOMER = "chen"  # plays following and binding himself
SECTIONS = {Channel.OFFICIAL: "official_account", Channel.MINI: "mini_program"}
# Which fact stands in which field of the sandbox's templates.
PROGRESS = {"character_string1": "no", "thing2": "place", "thing3": "fault", "phrase4": "status", "time5": "at"}
DISPATCH = {"character_string1": "no", "thing2": "place", "thing3": "fault", "name4": "person", "time5": "at"}


def leads_of(sandbox: Mapping[str, Any]) -> tuple[Lead, ...]:
    """The people of the stories as the sandbox's file has them."""
    there = {one["key"]: one for one in sandbox.get("person", ())}
    return tuple(
        Lead(lead.key, one["name"], one["campus_no"], PersonKind(one["kind"]), one["phone"])
        if (one := there.get(lead.key))
        else lead
        for lead in LEADS
    )


def connect(rows: Rows, crowd: Crowd, sandbox: Mapping[str, Any], *, now: datetime) -> None:
    """Identities, followers, consents and template mappings are waiting in `rows`."""
    since = now - timedelta(days=30)
    for one in sandbox.get("person", ()):
        if one["key"] == NEWCOMER or one["key"] not in crowd.leads:
            continue
        person = crowd.leads[one["key"]]
        known = [(IdentityKind.MINI, one.get("mini_openid"), one.get("unionid"))]
        if one.get("follows"):
            known.append((IdentityKind.OFFICIAL, one.get("official_openid"), one.get("unionid")))
            rows.add(
                Follower, openid=one["official_openid"], unionid=one.get("unionid"), follows=True, changed_at=since
            )
        if one.get("wecom_userid"):
            known.append((IdentityKind.WECOM, one["wecom_userid"], None))
        for kind, subject, unionid in known:
            if subject:
                rows.add(
                    Identity, person_id=person, kind=kind, subject=subject, unionid=unionid, bound_at=since,
                    bound_by="demo", unbound_at=None, live=True,
                )  # fmt: skip
        rows.add(Consent, person_id=person, kind=PRIVACY_KIND, version=PRIVACY.version, given_at=since)
    _templates(rows, sandbox, now=now)


def _templates(rows: Rows, sandbox: Mapping[str, Any], *, now: datetime) -> None:
    """Every kind of repair notice that a template of the sandbox can carry is mapped to it."""
    for kind in notices.KINDS.values():
        at_work = kind.order[:1] == (Channel.WECOM,)
        key, fields = ("repair_dispatch", DISPATCH) if at_work else ("repair_progress", PROGRESS)
        if not kind.name.startswith("repair_") or not kind.order or not set(fields.values()) <= set(kind.facts):
            continue
        try:
            check_mapping(kind, fields)
        except CannotFit:
            continue
        for channel, section in SECTIONS.items():
            template = next((one for one in sandbox.get(section, {}).get("template", ()) if one["key"] == key), None)
            if template and channel in kind.order:
                rows.add(
                    TemplateMap, channel=channel, kind=kind.name, template_id=template["id"], fields=fields,
                    changed_at=now,
                )  # fmt: skip
