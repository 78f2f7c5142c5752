"""`houqin demo config`: writes var/demo.toml once, with fresh secrets and the sandbox's keys and addresses. DESIGN §3."""

import secrets
import tomllib
from pathlib import Path
from typing import Any

import click


@click.command("config")
@click.option(
    "--sandbox", "sandbox_toml", type=click.Path(path_type=Path, exists=True), default=Path("var/sandbox/sandbox.toml")
)
@click.option("--out", type=click.Path(path_type=Path), default=Path("var/demo.toml"), show_default=True)
@click.option("--database", default="sqlite:///var/houqin.db", show_default=True)
@click.option("--redis", "redis_url", default="", help="empty: embedded")
def config(sandbox_toml: Path, out: Path, database: str, redis_url: str) -> None:
    """Write the configuration of a first look, unless it is there."""
    if not out.exists():
        write(sandbox_toml, out, database=database, redis_url=redis_url)
    click.echo(str(out))


def write(sandbox_toml: Path, out: Path, *, database: str, redis_url: str = "", files: str = "file:var/files") -> None:
    """A configuration that uses the sandbox for every outside platform."""
    there = tomllib.loads(sandbox_toml.read_text("utf-8"))
    out.parent.mkdir(parents=True, exist_ok=True)
    out.touch(mode=0o600)
    out.write_text(_toml(_sections(there, database, redis_url, files)), "utf-8")


def _sections(there: dict[str, Any], database: str, redis_url: str, files: str) -> dict[str, dict[str, Any]]:
    url = there["url"]
    callback = ("token", "aes_key")
    return {
        "server": {
            "base_url": there["service_url"],
            "secret_key": secrets.token_urlsafe(48),
            "data_keys": [secrets.token_urlsafe(32)],
            "verify_files": "var/verify",
            "school": "明德大学后勤",
            "duty_phone": "021-55550110",
            "frame_ancestors": [url],
        },
        "database": {"url": database},
        "redis": {"url": redis_url},
        "files": {"url": files},
        "official_account": _pick(there["official_account"], "app_id", "app_secret", *callback)
        | {"api_base": f"{url}/wechat", "oauth_base": f"{url}/wechat"},
        "mini_program": _pick(there["mini_program"], "app_id", "app_secret", *callback) | {"api_base": f"{url}/wechat"},
        "wecom": _pick(there["wecom"], "corp_id", "agent_id", "secret", *callback)
        | {"api_base": f"{url}/wecom", "oauth_base": f"{url}/wecom"},
        "wecom_contacts": _pick(there["wecom_contacts"], "secret", *callback),
        "sso": {"kind": "cas", "base_url": f"{url}/sso/cas"},
        "sms": {"adapter": "http", "base_url": f"{url}/sms", **_pick(there["sms"], "key", "secret")},
    }


def _pick(table: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: table[key] for key in keys}


def _toml(sections: dict[str, dict[str, Any]]) -> str:
    lines = ["# Written by `houqin demo config` for a first look; fresh secrets, the sandbox for every platform."]
    for name, table in sections.items():
        lines += ["", f"[{name}]", *(f"{key} = {_value(value)}" for key, value in table.items())]
    return "\n".join(lines) + "\n"


def _value(value: Any) -> str:
    if isinstance(value, int):
        return str(value)
    if isinstance(value, list):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'
