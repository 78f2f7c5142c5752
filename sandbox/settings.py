"""The sandbox's settings file, `sandbox.toml`: who exists, with which keys, and where the service is.

`write` makes it once from a seed and never touches it again; `read` turns it into frozen values. The
service's configuration is made from the same file, so both sides know the same keys.
"""

import json
import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sandbox.dice import HEX, URLSAFE, derive_text

KEY_END = "AEIMQUYcgkosw048"  # a 43-character key whose last character carries no spare bits

TEMPLATES = (
    ("repair_progress", "报修进度通知", ("character_string1", "thing2", "thing3", "phrase4", "time5")),
    ("repair_dispatch", "维修派工通知", ("character_string1", "thing2", "thing3", "name4", "time5")),
    ("notice", "校园通知", ("thing1", "thing2", "time3")),
)
# key, name, campus_no, kind, phone, follows, wecom_userid
PEOPLE = (
    ("lin", "林小雨", "2023010101", "student", "13800010101", True, ""),
    ("chen", "陈思远", "2023010102", "student", "13800010102", False, ""),
    ("wang", "王建国", "G2001", "worker", "13800020001", True, "G2001"),
    ("li", "李秀兰", "G2002", "worker", "13800020002", False, "G2002"),
    ("zhao", "赵敏", "T1001", "staff", "13800030001", False, "T1001"),
    ("zhou", "周卫东", "T1002", "staff", "13800030002", False, "T1002"),
)
# Page numbers in PROTOCOLS; 0 switches a limit off.
LIMITS = {
    "token_daily": 2000,  # 1.10
    "clear_quota_monthly": 10,
    "stable_per_minute": 10000,
    "stable_force_daily": 20,
    "stable_force_gap_s": 30,
    "template_daily": 100000,  # 1.11
    "menu_create_daily": 1000,
    "qr_permanent": 100000,  # 1.7
    "api_per_minute": 0,
    "wxacode_per_minute": 5000,  # 2.7
    "msg_sec_check_per_minute": 4000,  # 2.10
    "media_check_per_minute": 2000,
    "mini_seen_s": 7200,  # 61010: the person used the mini-program within two hours
    "wecom_member_per_minute": 30,  # 3.4: beyond it, silently dropped
    "wecom_member_per_hour": 1000,
    "wecom_per_minute": 10000,  # 3.11
    "sms_per_phone_daily": 100,
}
BEHAVIOUR = {
    "callback_timeout_s": 5.0,  # 1.3
    "callback_attempts": 3,
    "callback_gap_s": 1.0,  # after an answer that is not 200
    "finish_after_s": 0.3,  # TEMPLATESENDJOBFINISH and subscribe_msg_sent_event
    "media_check_after_s": 1.0,
    "hang_s": 60.0,
    "latency_ms": 0,
    "strangers": False,  # True: any openid of the right shape follows and has quota (counting runs)
}


@dataclass(frozen=True)
class Template:
    """A message template of an account."""

    key: str
    id: str
    title: str
    fields: tuple[str, ...]


@dataclass(frozen=True)
class Account:
    """One callback-owning side of the platform: an official account, a mini-program, a WeCom app."""

    name: str  # official | mini | wecom | wecom_contacts
    app_id: str  # the corp id for WeCom
    secret: str
    token: str
    aes_key: str
    callback: str
    origin_id: str = ""
    agent_id: int = 0
    mode: str = "secure"
    format: str = "xml"
    templates: tuple[Template, ...] = ()

    @property
    def wecom(self) -> bool:
        """WeCom signs, addresses and names things in its own way."""
        return self.name.startswith("wecom")


@dataclass(frozen=True)
class Person:
    """Somebody with a phone."""

    key: str
    name: str
    campus_no: str
    kind: str
    phone: str
    official_openid: str
    mini_openid: str
    unionid: str
    follows: bool = False
    wecom_userid: str = ""


@dataclass(frozen=True)
class Settings:
    """The whole file."""

    seed: int
    url: str
    service_url: str
    clock_file: Path
    accounts: dict[str, Account]
    people: tuple[Person, ...]
    sms: dict[str, str]
    sso: dict[str, str]
    limits: dict[str, Any] = field(default_factory=dict)
    behaviour: dict[str, Any] = field(default_factory=dict)
    oauth_domains: tuple[str, ...] = ()
    pages: tuple[str, ...] = ()


SECTIONS = {
    "official_account": "official",
    "mini_program": "mini",
    "wecom": "wecom",
    "wecom_contacts": "wecom_contacts",
}


class Invalid(ValueError):
    """The settings file cannot be used; the text says why."""


def read(directory: Path) -> Settings:
    """The settings in `directory/sandbox.toml`."""
    path = directory / "sandbox.toml"
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise Invalid(f"{path} is missing: python -m sandbox init --dir {directory}") from error
    except tomllib.TOMLDecodeError as error:
        raise Invalid(f"{path}: {error}") from error
    known = {"seed", "url", "service_url", "clock_file", "person", "sms", "sso", "limits", "behaviour"}
    known |= set(SECTIONS) | {"oauth_domains"}
    if unknown := sorted(set(data) - known):
        raise Invalid(f"{path}: unknown key {unknown[0]}")
    try:
        return _settings(data, directory)
    except (KeyError, TypeError) as error:
        raise Invalid(f"{path}: {error}") from error


def _settings(data: dict[str, Any], directory: Path) -> Settings:
    accounts: dict[str, Account] = {}
    pages: tuple[str, ...] = ()
    corp_id = data.get("wecom", {}).get("corp_id", "")
    for section, name in SECTIONS.items():
        if section not in data:
            continue
        raw = dict(data[section])
        if name == "mini":
            pages = tuple(raw.pop("pages", ()))
        templates = tuple(Template(**{**t, "fields": tuple(t["fields"])}) for t in raw.pop("template", ()))
        app_id = raw.pop("corp_id", "") or raw.pop("app_id", "") or corp_id
        raw["secret"] = raw.pop("app_secret", "") or raw.pop("secret", "")
        accounts[name] = Account(name=name, app_id=app_id, templates=templates, **raw)
    clock_file = Path(data.get("clock_file", "clock"))
    if not clock_file.is_absolute() and not clock_file.parent.is_dir():
        clock_file = directory / clock_file.name
    names = {f.name for f in fields(Person)}
    people = tuple(Person(**{k: v for k, v in p.items() if k in names}) for p in data.get("person", ()))
    return Settings(
        seed=int(data["seed"]),
        url=data["url"].rstrip("/"),
        service_url=data["service_url"].rstrip("/"),
        clock_file=clock_file,
        accounts=accounts,
        people=people,
        sms=data.get("sms", {}),
        sso=data.get("sso", {}),
        limits={**LIMITS, **data.get("limits", {})},
        behaviour={**BEHAVIOUR, **data.get("behaviour", {})},
        oauth_domains=tuple(data.get("oauth_domains", both_names(data["service_url"]))),
        pages=pages,
    )


def both_names(url: str) -> list[str]:
    """The address's host and port; a loopback host under both of its names."""
    netloc = urlsplit(url).netloc
    names = {netloc, netloc.replace("127.0.0.1", "localhost"), netloc.replace("localhost", "127.0.0.1")}
    return sorted(names)


def write(directory: Path, *, service: str, url: str, seed: int) -> Path:
    """`sandbox.toml` exists in the directory; one that was there before is left as it is."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "sandbox.toml"
    if not path.exists():
        temporary = path.with_suffix(".new")
        temporary.write_text(text(seed, url=url, service=service, clock_file=directory / "clock"), encoding="utf-8")
        temporary.chmod(0o600)
        temporary.replace(path)
    return path


def text(seed: int, *, url: str, service: str, clock_file: Path) -> str:
    """The file for a seed: the same seed gives the same file."""

    def hexes(what: str, length: int) -> str:
        return derive_text(seed, what, length, HEX)

    def letters(what: str, length: int) -> str:
        return derive_text(seed, what, length)

    def aes(what: str) -> str:
        return derive_text(seed, what, 42) + derive_text(seed, what + ".end", 1, KEY_END)

    def openid(what: str) -> str:
        return "o" + derive_text(seed, what, 27, URLSAFE)

    def templates(section: str) -> str:
        return "".join(
            f"\n[[{section}.template]]\n"
            f'key = "{key}"\nid = "{derive_text(seed, f"{section}.{key}", 43, URLSAFE)}"\n'
            f'title = "{title}"\nfields = {json.dumps(names)}\n'
            for key, title, names in TEMPLATES
        )

    def keys(what: str) -> str:
        return f'token = "{letters(what + ".token", 24)}"\naes_key = "{aes(what + ".aes")}"\n'

    parts = [
        "# Written once by `python -m sandbox init`; change it freely, it is not written again.\n"
        f"seed = {seed}\n"
        f'url = "{url.rstrip("/")}"            # where the sandbox is\n'
        f'service_url = "{service.rstrip("/")}"    # where callbacks go and where /m/ lives\n'
        f'clock_file = "{clock_file.as_posix()}"   # offset in seconds; the same file as HOUQIN_CLOCK_FILE\n',
        "[official_account]\n"
        f'app_id = "wx{hexes("official.app", 16)}"\napp_secret = "{hexes("official.secret", 32)}"\n'
        + keys("official")
        + f'origin_id = "gh_{hexes("official.origin", 12)}"\n'
        'mode = "secure"       # plain | compat | secure\nformat = "xml"        # xml | json\n'
        'callback = "/wx/official"\n' + templates("official_account"),
        "[mini_program]\n"
        f'app_id = "wx{hexes("mini.app", 16)}"\napp_secret = "{hexes("mini.secret", 32)}"\n'
        + keys("mini")
        + f'origin_id = "gh_{hexes("mini.origin", 12)}"\nmode = "secure"\nformat = "json"\n'
        'callback = "/wx/mini"\npages = []            # empty: every page exists\n' + templates("mini_program"),
        f'[wecom]\ncorp_id = "ww{hexes("wecom.corp", 16)}"\nagent_id = 1000002\n'
        f'secret = "{letters("wecom.secret", 43)}"\n' + keys("wecom") + 'callback = "/wx/wecom"\n',
        f'[wecom_contacts]\nsecret = "{letters("wecom_contacts.secret", 43)}"\n'
        + keys("wecom_contacts")
        + 'callback = "/wx/wecom/contacts"\n',
        f'[sms]\nkey = "sms-{hexes("sms.key", 12)}"\nsecret = "{letters("sms.secret", 32)}"\n',
        f'[sso]\nclient_id = "campus-{hexes("sso.client", 8)}"\nclient_secret = "{letters("sso.secret", 40)}"\n',
    ]
    for key, name, campus_no, kind, phone, follows, userid in PEOPLE:
        parts.append(
            f'[[person]]\nkey = "{key}"\nname = "{name}"\ncampus_no = "{campus_no}"\nkind = "{kind}"\n'
            f'phone = "{phone}"\nofficial_openid = "{openid(key + ".official")}"\n'
            f'mini_openid = "{openid(key + ".mini")}"\nunionid = "{openid(key + ".union")}"\n'
            f'follows = {str(follows).lower()}\nwecom_userid = "{userid}"\n'
        )
    return "\n".join(parts)
