"""The platforms of a config: those without a section are off, and nothing connects before somebody asks."""

import asyncio

import pytest

from core.config import Config, Server, Sso
from core.errors import Refused
from platforms import Platforms, build
from platforms.push import SubscribePush
from tests.platforms.conftest import KEY, mini_section, official_section, sms_section, wecom_section

SERVER = Server(base_url="http://127.0.0.1:8000", secret_key="s", data_keys=["k"])
CONTACTS = {"secret": "s", "token": "t", "aes_key": KEY}


def test_without_sections_everything_is_off(no_redis, wire):
    built = build(Config(server=SERVER), no_redis)
    found = (built.official, built.mini, built.wecom, built.contacts, built.sms, built.sso)
    assert found == (None,) * 6
    with pytest.raises(Refused):
        asyncio.run(built.push.send(SubscribePush("o", "t", {})))


def test_with_sections_everything_is_there_and_silent(no_redis, wire):
    config = Config(
        server=SERVER,
        official_account=official_section(),
        mini_program=mini_section(),
        wecom=wecom_section(),
        wecom_contacts=CONTACTS,
        sms=sms_section(),
        sso=Sso(kind="oidc", base_url="http://sso.test", client_id="c"),
    )
    built = build(config, no_redis)
    assert None not in (built.official, built.mini, built.wecom, built.contacts, built.sms, built.sso)
    assert len(wire.calls) == 0


def test_contacts_need_the_corporation_of_wecom(no_redis):
    assert build(Config(server=SERVER, wecom_contacts=CONTACTS), no_redis).contacts is None


def test_a_test_may_hand_in_what_it_needs(mini):
    assert Platforms(mini=mini).mini is mini
