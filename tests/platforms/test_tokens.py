"""Access tokens: one fetch for everybody, a failed one replaced once, bounded whatever the platform says. N4."""

import multiprocessing
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from core.errors import Busy, PlatformError, Refused, Unknown
from core.redis import Cache
from platforms.tokens import FETCHES_PER_MINUTE, Tokens


class Vendor:
    """A token endpoint. `answers` are given in turn, the last one for ever; an exception is raised."""

    def __init__(self, *answers: Any, meanwhile: Callable[[], None] = lambda: None) -> None:
        self.answers = list(answers)
        self.asked: list[bool] = []
        self.meanwhile = meanwhile

    def __call__(self, force: bool) -> tuple[str, float]:
        self.asked.append(force)
        self.meanwhile()
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer, 7200.0


def test_a_token_is_fetched_once_and_used_until_shortly_before_its_end(no_redis, moving):
    vendor = Vendor("A", "B")
    tokens = Tokens(no_redis, "app", vendor)
    for _ in range(100):
        assert tokens.current() == "A"
        moving.move(60)
    assert vendor.asked == [False]
    moving.move(7200 - 300 - 6000 + 1)
    assert tokens.current() == "B"


def test_twenty_threads_fetch_once(no_redis, rush):
    entered = threading.Event()
    vendor = Vendor("A", meanwhile=lambda: entered.wait(0.2))
    tokens = Tokens(no_redis, "app", vendor)
    assert set(rush(lambda _: tokens.current(), range(20))) == {"A"}
    assert len(vendor.asked) == 1


def test_twenty_threads_with_the_same_failed_token_replace_it_once(no_redis, rush):
    entered = threading.Event()
    vendor = Vendor("A", "B", meanwhile=lambda: entered.wait(0.1))
    tokens = Tokens(no_redis, "app", vendor)
    assert tokens.current() == "A"
    assert set(rush(lambda _: tokens.replace("A"), range(20))) == {"B"}
    assert len(vendor.asked) == 2


def test_the_one_fetch_test_would_notice_a_missing_lock(no_redis, rush):
    entered = threading.Event()
    vendor = Vendor("A", meanwhile=lambda: entered.wait(0.2))
    tokens = Tokens(no_redis, "app", vendor)
    tokens._mutex = FreeForAll()
    rush(lambda _: tokens.current(), range(20))
    assert len(vendor.asked) > 1


class FreeForAll:
    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


def test_who_waited_for_a_fetch_that_failed_gets_the_same_answer_at_once(no_redis, rush):
    entered = threading.Event()
    vendor = Vendor(Unknown("no_answer"), meanwhile=lambda: entered.wait(0.3))
    tokens = Tokens(no_redis, "app", vendor)
    answers = rush(lambda _: tokens.current(), range(20))
    assert {type(answer) for answer in answers} == {Busy}  # the message was never sent, so it is not in doubt
    assert len(vendor.asked) <= 2


def test_a_refused_secret_is_not_tried_again_for_half_a_minute(no_redis, moving):
    vendor = Vendor(Refused(40125, "invalid appsecret"), "A")
    tokens = Tokens(no_redis, "app", vendor)
    for _ in range(50):
        with pytest.raises(Refused, match="40125"):
            tokens.current()
    assert len(vendor.asked) == 1
    moving.move(31)
    assert tokens.current() == "A"


def test_tokens_that_fail_as_fast_as_they_are_fetched_do_not_spend_the_quota(no_redis, moving):
    names = iter(f"T{n}" for n in range(1000))
    asked = []

    def vendor(force: bool) -> tuple[str, float]:
        asked.append(force)
        return next(names), 7200.0

    tokens = Tokens(no_redis, "app", vendor)
    failed, refused = tokens.current(), 0
    for _ in range(200):
        try:
            failed = tokens.replace(failed)
        except Busy:
            refused += 1
    assert len(asked) == FETCHES_PER_MINUTE
    assert refused == 200 - FETCHES_PER_MINUTE + 1
    moving.move(61)
    assert tokens.replace(failed) != failed


def test_only_when_the_platform_insists_on_the_failed_token_a_new_one_is_forced_and_rarely(no_redis, moving):
    vendor = Vendor("A", "A", "B", "B")
    tokens = Tokens(no_redis, "app", vendor, can_force=True)
    assert tokens.current() == "A"
    assert tokens.replace("A") == "B"
    assert vendor.asked == [False, False, True]
    assert tokens.replace("B") == "B"  # forced a moment ago: not again
    assert vendor.asked == [False, False, True, False]


def shared(url: str, *answers: Any, name: str = "app") -> tuple[Tokens, Vendor]:
    vendor = Vendor(*answers)
    return Tokens(Cache(url), name, vendor), vendor


@pytest.mark.race
def test_what_one_process_fetched_the_other_uses(redis_url):
    one, _ = shared(redis_url, "A")
    two, vendor = shared(redis_url, "never")
    assert (one.current(), two.current()) == ("A", "A")
    assert vendor.asked == []


@pytest.mark.race
def test_a_token_invalidated_by_somebody_else_is_replaced_once_for_all(redis_url):
    one, fetched = shared(redis_url, "A", "B")
    two, vendor = shared(redis_url, "never")
    one.current(), two.current()
    assert one.replace("A") == "B"
    assert two.replace("A") == "B"  # compare and swap: the shared one is another already
    assert (len(fetched.asked), vendor.asked) == (2, [])


@pytest.mark.race
def test_redis_that_lost_everything_gets_the_token_back(redis_url, moving):
    one, vendor = shared(redis_url, "A", "B")
    one.current()
    Cache(redis_url).client.flushall()
    moving.move(61)
    assert one.current() == "A"
    two, other = shared(redis_url, "never")
    assert two.current() == "A"
    assert (len(vendor.asked), other.asked) == (1, [])


def fetch_in_another_process(url: str, start: Any, answers: Any) -> None:
    count = multiprocessing.Value("i", 0)

    def slow(_force: bool) -> tuple[str, float]:
        with count.get_lock():
            count.value += 1
        threading.Event().wait(0.3)
        return "fetched", 7200.0

    tokens = Tokens(Cache(url), "shared", slow)
    start.wait(30)
    with ThreadPoolExecutor(10) as pool:
        got = set(pool.map(lambda _: tokens.current(), range(10)))
    answers.put((got, count.value))


@pytest.mark.race
def test_twenty_threads_in_two_processes_fetch_once(redis_url):
    context = multiprocessing.get_context("spawn")
    start, answers = context.Barrier(2), context.Queue()
    children = [context.Process(target=fetch_in_another_process, args=(redis_url, start, answers)) for _ in range(2)]
    for child in children:
        child.start()
    found = [answers.get(timeout=60) for _ in children]
    for child in children:
        child.join(30)
    assert [got for got, _ in found] == [{"fetched"}, {"fetched"}]
    assert sum(count for _, count in found) == 1


@pytest.mark.race
def test_when_redis_goes_away_every_process_goes_on_with_its_own(redis_url, no_redis, moving):
    one, vendor = shared(redis_url, "A", "B")
    assert one.current() == "A"
    one._cache = no_redis
    moving.move(600)
    assert one.current() == "A"
    assert one.replace("A") == "B"
    assert len(vendor.asked) == 2


def test_a_platform_error_stays_what_it_is(no_redis):
    for error in (Busy(-1, retry_after_s=5), Refused(40164, "invalid ip 1.2.3.4")):
        tokens = Tokens(no_redis, "app", Vendor(error))
        with pytest.raises(PlatformError) as caught:
            tokens.current()
        assert (type(caught.value), caught.value.code) == (type(error), error.code)
