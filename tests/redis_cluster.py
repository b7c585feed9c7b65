"""A real cluster of Redis on free ports of the loopback: three nodes with a third of the slots each, and a replica."""

from __future__ import annotations

import shutil
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
from ledgers import RedisServer, new_server

SLOTS: Final = 16_384
_BUS: Final = 10_000
"""Nodes talk to each other on the port so far above their own."""

_PATIENCE_S: Final = 30.0


@dataclass
class Cluster:
    """Three nodes that have slots, and a fourth that copies one of them."""

    nodes: list[RedisServer] = field(default_factory=list)

    def start(self) -> None:
        """Start the nodes, share the slots out, and wait until all agree."""
        redis = pytest.importorskip("redis")
        for _ in range(4):
            server = new_server()
            server.port = _free_port()
            server.start("--cluster-enabled", "yes", "--cluster-node-timeout", "2000", "--save", "")
            self.nodes.append(server)
        clients = [redis.Redis(port=node.port, decode_responses=True) for node in self.nodes]
        for place, client in enumerate(clients[:3]):
            own = range(place * SLOTS // 3, (place + 1) * SLOTS // 3)
            client.execute_command("CLUSTER ADDSLOTS", *own)
        for node in self.nodes[1:]:
            clients[0].execute_command("CLUSTER MEET", "127.0.0.1", node.port)
        until(lambda: all(self.agreed(client) for client in clients), "the nodes of the cluster do not agree")

    def agreed(self, client: Any) -> bool:
        """Whether a node knows all others, and who has which slot."""
        state = client.execute_command("CLUSTER INFO")
        known = state if isinstance(state, dict) else dict(line.split(":", 1) for line in state.split() if ":" in line)
        return str(known["cluster_state"]) == "ok" and int(known["cluster_known_nodes"]) == len(self.nodes)

    def owner_of(self, key: str) -> RedisServer:
        """The node that has a key."""
        asked = next(node for node in self.nodes if node.process is not None)
        slot = _client(asked).execute_command("CLUSTER KEYSLOT", key)
        for row in _client(asked).execute_command("CLUSTER SLOTS"):
            if row[0] <= slot <= row[1]:
                return next(node for node in self.nodes if node.port == row[2][1])
        raise LookupError(key)

    def move(self, key: str, target: RedisServer) -> None:
        """Move the slot of a key, with all that is in it, as ``redis-cli --cluster reshard`` does."""
        source = self.owner_of(key)
        slot = _client(source).execute_command("CLUSTER KEYSLOT", key)
        _client(target).execute_command("CLUSTER SETSLOT", slot, "IMPORTING", _id_of(source))
        _client(source).execute_command("CLUSTER SETSLOT", slot, "MIGRATING", _id_of(target))
        keys = _client(source).execute_command("CLUSTER GETKEYSINSLOT", slot, 10_000)
        if keys:
            _client(source).execute_command("MIGRATE", "127.0.0.1", target.port, "", 0, 5_000, "KEYS", *keys)
        for node in (target, source):
            _client(node).execute_command("CLUSTER SETSLOT", slot, "NODE", _id_of(target))

    def copy(self, owner: RedisServer) -> RedisServer:
        """Let the fourth node be the replica of another; returns it when it has caught up."""
        replica = self.nodes[3]
        _client(replica).execute_command("CLUSTER REPLICATE", _id_of(owner))
        until(lambda: _client(replica).info("replication").get("master_link_status") == "up", "no replica")
        return replica

    def names(self, node: RedisServer, namespace: str) -> set[str]:
        """What a node has of a ledger: its keys, without what they all begin with."""
        found = _client(node).keys(f"*{{{namespace}}}*")
        return {str(key).partition("}:")[2] for key in found}

    def follows(self, replica: RedisServer, owner: RedisServer) -> bool:
        """Whether one node copies another, and has caught up."""
        state = _client(replica).info("replication")
        return bool(state.get("master_port") == owner.port and state.get("master_link_status") == "up")

    def stop(self) -> None:
        """End the nodes and remove their folders."""
        for node in self.nodes:
            node.stop()
            shutil.rmtree(node.folder, ignore_errors=True)


def take_over(replica: RedisServer, how: str = "") -> None:
    """Let a replica have the slots of its node. ``TAKEOVER`` does so where that is gone."""
    _client(replica).execute_command("CLUSTER FAILOVER", *([how] if how else []))
    until(lambda: _client(replica).info("replication")["role"] == "master", "the replica has not taken over")


def until(happens: Callable[[], bool], otherwise: str) -> None:
    """Ask again and again; nodes tell each other ten times a second."""
    deadline, pause = time.monotonic() + _PATIENCE_S, threading.Event()
    while not happens():
        if time.monotonic() > deadline:
            raise TimeoutError(otherwise)
        pause.wait(0.05)


def _client(node: RedisServer) -> Any:
    redis = pytest.importorskip("redis")
    return redis.Redis(port=node.port, decode_responses=True)


def _id_of(node: RedisServer) -> str:
    return str(_client(node).execute_command("CLUSTER MYID"))


def _free_port() -> int:
    while True:
        with socket.socket() as probe, socket.socket() as bus:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
            if port + _BUS > 65_535:
                continue
            try:
                bus.bind(("127.0.0.1", port + _BUS))
            except OSError:
                continue
            return port
