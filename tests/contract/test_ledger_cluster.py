"""A ledger in a cluster of Redis: all of its keys are on one node, wherever that is just now."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from ledgers import START, Clock, RedisServer, counter, wish
from redis_cluster import Cluster, take_over, until

from llmcost.control.feed import Sums
from llmcost.control.feed.contract import FeedRow
from llmcost.control.feed.redis import RedisFeed
from llmcost.control.ledger import Entry, Ledger, LedgerFailure, Refusal, Reservation, open_ledger
from llmcost.control.ledger.steady import SteadyLedger

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    cluster = Cluster()
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


def opened(node: RedisServer, namespace: str) -> Ledger:
    return open_ledger(f"{node.url}?namespace={namespace}&wait_ms=2000", Clock())


def reserved(ledger: Ledger, call_id: str, amount: int) -> Reservation:
    answer = ledger.reserve(wish(call_id, amount, counter("user"), counter("world", 200)))
    assert isinstance(answer, Reservation)
    return answer


@pytest.mark.parametrize("node", range(3))
def test_any_node_may_be_named(cluster: Cluster, node: int) -> None:
    ledger = opened(cluster.nodes[node], uuid.uuid4().hex)
    held = reserved(ledger, "a", 60)
    assert isinstance(ledger.reserve(wish("b", 41, counter("user"), counter("world", 200))), Refusal)
    assert ledger.settle(held, 45, [Entry("s", START, 45)]) == ((45, 0, 1), (45, 0, 1))
    ledger.set_limit("user", 7)
    assert ledger.limits() == {"user": 7}
    assert ledger.claim("incident", START + 60)
    assert not ledger.claim("incident", START + 60)
    assert [bucket.nano for bucket in ledger.spend("s", START - 900, START + 900)] == [45]
    assert ledger.reset("user") == 1
    assert ledger.states([counter("user"), counter("world")]) == ((0, 0, 0), (45, 0, 1))
    ledger.close()


@pytest.mark.parametrize("node", range(3))
def test_keys_are_found_by_who_has_asked_for_nothing_else(cluster: Cluster, node: int) -> None:
    namespace = uuid.uuid4().hex
    reserved(opened(cluster.nodes[0], namespace), "a", 60)
    assert opened(cluster.nodes[node], namespace).keys("") == ["user", "world"]


def test_all_keys_of_a_ledger_are_in_one_slot(cluster: Cluster) -> None:
    namespace = uuid.uuid4().hex
    ledger = opened(cluster.nodes[0], namespace)
    ledger.settle(reserved(ledger, "a", 60), 45, [Entry("s", START, 45)])
    reserved(ledger, "b", 10)
    owner = cluster.owner_of(f"llmcost:{{{namespace}}}:meta")
    found = {node.port: cluster.names(node, namespace) for node in cluster.nodes[:3]}
    assert {"meta", "c:user", "c:world", "call:a", "call:b", "holds"} <= found.pop(owner.port)
    assert not any(found.values())


def test_a_slot_that_moves_takes_the_ledger_along(cluster: Cluster) -> None:
    namespace = uuid.uuid4().hex
    key = f"llmcost:{{{namespace}}}:meta"
    ledger = opened(cluster.nodes[0], namespace)
    held = reserved(ledger, "a", 60)
    owner = cluster.owner_of(key)
    for target in (node for node in cluster.nodes[:3] if node is not owner):
        cluster.move(key, target)
        again = reserved(ledger, target.url, 20)
        assert isinstance(ledger.reserve(wish("over", 21, counter("user"))), Refusal)
        ledger.release(again)
    assert ledger.settle(held, 45) == ((45, 0, 1), (45, 0, 1))


def test_a_feed_goes_where_its_keys_are(cluster: Cluster) -> None:
    for node in cluster.nodes[:3]:
        feed = RedisFeed(node.url, Clock(), namespace=uuid.uuid4().hex)
        feed.add([FeedRow(0, "global", Sums(calls=1))], "once")
        step = feed.due(0.0, 900.0)
        assert step is not None
        assert feed.commit(step, [], [])
        feed.close()


def test_who_takes_over_has_what_was_held(cluster: Cluster) -> None:
    """Last, since it takes a node away."""
    namespace = uuid.uuid4().hex
    owner = cluster.owner_of(f"llmcost:{{{namespace}}}:meta")
    other = next(node for node in cluster.nodes[:3] if node is not owner)
    replica = cluster.copy(owner)
    ledger = SteadyLedger(opened(other, namespace), pace=iter(range(0, 10_000, 10)).__next__)
    held = reserved(ledger, "a", 60)
    take_over(replica)
    assert isinstance(ledger.reserve(wish("over", 41, counter("user"))), Refusal)
    reserved(ledger, "b", 10)
    until(lambda: cluster.follows(owner, replica), "the node that was copied does not copy")
    until(lambda: "call:b" in cluster.names(owner, namespace), "it has not caught up")
    replica.stop()
    with pytest.raises(LedgerFailure, match="unreachable"):
        ledger.reserve(wish("c", 1, counter("user")))
    take_over(owner, "TAKEOVER")
    until(lambda: cluster.owner_of(f"llmcost:{{{namespace}}}:meta") is owner, "the others have not heard of it")
    assert isinstance(ledger.reserve(wish("over", 31, counter("user"))), Refusal)
    assert ledger.settle(held, 45) == ((45, 10, 2), (45, 10, 2))
