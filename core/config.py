"""The configuration: one TOML file, every key known, every error named. DESIGN §4.

Every key may instead stand in the environment as HOUQIN__SECTION__KEY, and every text key in a file named by
`key_file`. A platform whose section is absent is off. A missing or unknown key stops the start, with the key's name
and the line to add.
"""

import os
import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

PREFIX = "HOUQIN__"
EXAMPLE_SECRET = "change-me"  # noqa: S105  the marker that config.example.toml puts in every secret


class ConfigError(Exception):
    """The configuration cannot be used. The text names every key that is wrong and what to write."""


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Server(Section):
    base_url: str
    secret_key: SecretStr
    timezone: Literal["Asia/Shanghai"] = "Asia/Shanghai"
    data_keys: tuple[SecretStr, ...] = Field(min_length=1)
    verify_files: str = "var/verify"
    school: str = "后勤通"
    duty_phone: str = ""
    trusted_proxies: int = Field(0, ge=0, le=5)
    frame_ancestors: tuple[str, ...] = ()

    @field_validator("base_url")
    @classmethod
    def _no_slash(cls, value: str) -> str:
        if not value.startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://")
        return value.rstrip("/")

    @property
    def is_loopback(self) -> bool:
        host = self.base_url.split("://", 1)[1].split("/", 1)[0].rsplit(":", 1)[0]
        return host in {"127.0.0.1", "localhost", "[::1]"}


class DatabaseSection(Section):
    url: SecretStr = SecretStr("sqlite:///var/houqin.db")
    pool: int = Field(16, ge=1, le=128)


class RedisSection(Section):
    url: SecretStr = SecretStr("")


class Files(Section):
    url: str = "file:var/files"
    access_key: str = ""
    secret_key: SecretStr = SecretStr("")
    endpoint: str = ""


class Callback(Section):
    token: SecretStr
    aes_key: SecretStr
    previous_token: SecretStr = SecretStr("")
    previous_aes_key: SecretStr = SecretStr("")

    @field_validator("aes_key", "previous_aes_key")
    @classmethod
    def _forty_three(cls, value: SecretStr) -> SecretStr:
        if value.get_secret_value() and len(value.get_secret_value()) != 43:
            raise ValueError("an EncodingAESKey has 43 characters")
        return value


class OpenCallback(Callback):
    """A callback that the platform can also send unencrypted. Its signature then does not cover the body."""

    accept_plain: bool = True


class OfficialAccount(OpenCallback):
    app_id: str
    app_secret: SecretStr
    api_base: str = "https://api.weixin.qq.com"
    oauth_base: str = "https://open.weixin.qq.com"


class MiniProgram(OpenCallback):
    app_id: str
    app_secret: SecretStr
    api_base: str = "https://api.weixin.qq.com"


class WeCom(Callback):
    corp_id: str
    agent_id: int
    secret: SecretStr
    api_base: str = "https://qyapi.weixin.qq.com"
    oauth_base: str = "https://open.weixin.qq.com"


class WeComContacts(Callback):
    secret: SecretStr


class Sso(Section):
    kind: Literal["cas", "oidc", "off"]
    base_url: str = ""
    client_id: str = ""
    client_secret: SecretStr = SecretStr("")
    number_claim: str = "sub"
    name_claim: str = "name"


class Sms(Section):
    adapter: Literal["http"]
    base_url: str
    key: str
    secret: SecretStr


class Config(Section):
    """Everything an installation decides. Absent platform sections are None: that platform is off."""

    server: Server
    database: DatabaseSection = DatabaseSection()
    redis: RedisSection = RedisSection()
    files: Files = Files()
    official_account: OfficialAccount | None = None
    mini_program: MiniProgram | None = None
    wecom: WeCom | None = None
    wecom_contacts: WeComContacts | None = None
    sso: Sso | None = None
    sms: Sms | None = None

    @property
    def platforms_off(self) -> list[str]:
        """The sections that are absent, for saying so once at start."""
        return [
            name
            for name, field in type(self).model_fields.items()
            if field.default is None and getattr(self, name) is None
        ]


def load(path: str | os.PathLike[str], environ: dict[str, str] | None = None) -> Config:
    """The configuration of that file and the environment. Raises ConfigError with every key that is wrong."""
    where = Path(path)
    if not where.is_file():
        raise ConfigError(f"{where}: there is no such file; copy config.example.toml and fill it in")
    try:
        raw: dict[str, Any] = tomllib.loads(where.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as why:
        raise ConfigError(f"{where}: not valid TOML: {why}") from None
    _from_environment(raw, os.environ if environ is None else environ)
    _from_files(raw, where.parent)
    try:
        return Config.model_validate(raw)
    except ValidationError as why:
        raise ConfigError("\n".join([f"{where}:", *(_line(error) for error in why.errors())])) from None


def _from_environment(raw: dict[str, Any], environ: Any) -> None:
    for name, value in environ.items():
        if not name.startswith(PREFIX):
            continue
        path = [part.lower() for part in name.removeprefix(PREFIX).split("__")]
        if len(path) < 2 or not all(path):
            raise ConfigError(f"{name}: write HOUQIN__SECTION__KEY")
        table = raw
        for part in path[:-1]:
            table = table.setdefault(part, {})
        table[path[-1]] = value.split(",") if path[-1] in ("data_keys", "frame_ancestors") else value


def _from_files(table: dict[str, Any], beside: Path) -> None:
    for key in list(table):
        if isinstance(table[key], dict):
            _from_files(table[key], beside)
        elif key.endswith("_file") and isinstance(table[key], str):
            secret = beside / table.pop(key)
            try:
                table[key.removesuffix("_file")] = secret.read_text("utf-8").strip()
            except OSError as why:
                raise ConfigError(f"{key} = {str(secret)!r}: {why.strerror}") from None


def _line(error: Any) -> str:
    """One wrong key, told so that it can be mended: `[wecom] agent_id: missing; add: agent_id = …`."""
    *sections, key = (str(part) for part in error["loc"]) if error["loc"] else ("?",)
    where = f"[{'.'.join(sections)}] {key}" if sections else f"[{key}]"
    match error["type"]:
        case "missing":
            return f"  {where}: missing; add the {'line ' + key + ' = …' if sections else 'section'}"
        case "extra_forbidden":
            return f"  {where}: unknown {'key' if sections else 'section'}; see config.example.toml"
        case _:
            return f"  {where}: {error['msg']}"


def refuse_example_secrets(config: Config) -> None:
    """Raises ConfigError when a secret of config.example.toml is in use and the service is not on loopback."""
    if config.server.is_loopback:
        return
    if wrong := sorted(_example_secrets(config)):
        raise ConfigError("these still hold the values of config.example.toml: " + ", ".join(wrong))


def _example_secrets(section: BaseModel, prefix: str = "") -> list[str]:
    names = []
    for name in type(section).model_fields:
        value = getattr(section, name)
        if isinstance(value, BaseModel):
            names += _example_secrets(value, f"[{name}] ")
        else:
            secrets = value if isinstance(value, tuple) else (value,)
            if any(isinstance(one, SecretStr) and one.get_secret_value().startswith(EXAMPLE_SECRET) for one in secrets):
                names.append(prefix + name)
    return names
