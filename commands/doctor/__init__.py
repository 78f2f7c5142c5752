"""`houqin doctor`: says in Chinese what is wrong with an installation and where to mend it. One line per check.

It looks the way the platforms look: it asks for tokens, compares the templates with what the office configured, and
calls our own callbacks under base_url with requests signed like theirs. Exit code 1 when anything is wrong.
It changes nothing: the probe is an event that no deed belongs to.
"""

import os
from collections.abc import Iterator

import click

import platforms
from commands.doctor import apps, house
from commands.doctor.asking import Finding, bad, good
from core import clock, log, redis
from core import config as configs
from models.notices import TemplateMap


@click.command("doctor")
@click.option(
    "--service", default="http://127.0.0.1:8000", show_default=True, help="where a web process of this host listens"
)
@click.pass_context
def command(ctx: click.Context, service: str) -> None:
    """Say what is wrong with this installation, and what to do about it."""
    log.set_up(level="CRITICAL")
    path = ctx.find_root().obj
    if not path:
        raise click.UsageError("name the configuration: --config FILE or HOUQIN_CONFIG")
    wrong = 0
    for finding in findings(path, service):
        click.echo(str(finding))
        wrong += finding.ok is False
    click.echo(f"\n{wrong} 处需要处理" if wrong else "\n一切正常")
    ctx.exit(1 if wrong else 0)


def findings(path: str, service: str) -> Iterator[Finding]:
    """Every check of the installation with that configuration, in the order in which they should be mended."""
    try:
        config = configs.load(path)
        configs.refuse_example_secrets(config)
    except configs.ConfigError as why:
        for line in str(why).splitlines():
            if line.strip() and not line.endswith(f"{path}:"):
                yield bad("配置", line.strip(), f"改 {path}，对照 config.example.toml")
        return
    yield good("配置", str(path))
    if os.environ.get(clock.CLOCK_FILE) and not config.server.is_loopback:
        yield bad("演练时钟", f"设了 {clock.CLOCK_FILE}，服务不会启动", f"去掉环境变量 {clock.CLOCK_FILE}")
    mappings: list[TemplateMap] | None = None
    for finding in house.database(config):
        if isinstance(finding, Finding):
            yield finding
        else:
            mappings = finding
    cache = redis.Cache("unix:///nonexistent")  # what is asked here must come from the platform, not from a cache
    yield house.redis_answers(config)
    yield house.https(config)
    yield from house.verify_files(config)
    built = platforms.build(config, cache)
    yield from apps.refused_callbacks(config, service)
    yield from apps.official(config, built, mappings)
    yield from apps.mini(config, built, mappings)
    yield from apps.wecom(config, built)
    yield from apps.sms(built)
    yield from apps.sso(config, built)
