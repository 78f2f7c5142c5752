"""What `houqin doctor` looks at in the house itself: database, Redis, address, verification files."""

from collections.abc import Iterator
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.orm import Session

from commands.doctor.asking import Finding, bad, good
from core import redis
from core.config import Config
from core.errors import PlatformError
from core.http import Http
from models import migrations
from models.notices import TemplateMap


def database(config: Config) -> Iterator[Finding | list[TemplateMap]]:
    """Whether it answers and has this release's tables; then the template mappings in it."""
    url = config.database.url.get_secret_value()
    file = sa.make_url(url).database
    if url.startswith("sqlite") and not Path(file or "").is_file():  # to connect would make an empty one
        yield bad("数据库", f"没有 {file}", "运行 houqin db upgrade")
        return
    engine = sa.create_engine(url)
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql("SELECT 1")
        current = migrations.is_current(engine)
        if not current:
            yield bad("数据库", "表结构不是这个版本的", "运行 houqin db upgrade")
            return
        yield good("数据库", f"{engine.dialect.name} 可用，表结构是最新的")
        with Session(engine) as s:
            yield list(s.scalars(sa.select(TemplateMap)))
    except sa.exc.SQLAlchemyError as why:
        yield bad("数据库", f"连不上（{type(why).__name__}）", "核对 [database] url，数据库是否已启动、账号能否登录")
    finally:
        engine.dispose()


def redis_answers(config: Config) -> Finding:
    """Whether Redis answers, the embedded one included."""
    url = config.redis.url.get_secret_value()
    try:
        up = redis.connect(url).up()
    except (OSError, ValueError):  # ValueError: not a URL
        up = False
    if up:
        return good("Redis", "可用" if url else "可用（内嵌）")
    return bad("Redis", "连不上；服务照常，但令牌不能共用", "核对 [redis] url，Redis 是否已启动")


def https(config: Config) -> Finding:
    """Whether base_url is one that WeChat opens."""
    base = config.server.base_url
    if base.startswith("https://"):
        return good("网址", base)
    if config.server.is_loopback:
        return good("网址", f"{base}（本机试用）")
    return bad(
        "网址", f"{base} 不是 https", "微信网页与小程序只认 https：申请证书，把 [server] base_url 改成 https://…"
    )


def verify_files(config: Config) -> Iterator[Finding]:
    """The domain verification files that the platforms want to read under base_url."""
    wanted = [
        ("公众号/小程序", "MP_verify_*.txt", config.official_account),
        ("企业微信", "WW_verify_*.txt", config.wecom),
    ]
    for owner, pattern, section in wanted:
        if section is None or config.server.is_loopback:
            continue
        found = sorted(Path(config.server.verify_files).glob(pattern))
        if not found:
            yield bad("域名校验", f"{config.server.verify_files} 里没有 {pattern}", f"从{owner}后台下载校验文件放进去")
        for file in found:
            yield _verify_file(config, file)


def _verify_file(config: Config, file: Path) -> Finding:
    try:
        answer = own_http(config).request("GET", f"/{file.name}")
    except PlatformError:
        return bad("域名校验", f"取不到 {config.server.base_url}/{file.name}", "启动服务，核对反向代理")
    if answer.status_code == 200 and answer.content.strip() == file.read_bytes().strip():
        return good("域名校验", file.name)
    return bad("域名校验", f"/{file.name} 答的不是文件内容（{answer.status_code}）", "反向代理须把它转给服务")


def own_http(config: Config) -> Http:
    """Our own service, as somebody outside reaches it."""
    return Http("self", config.server.base_url, timeout_s=5.0)
