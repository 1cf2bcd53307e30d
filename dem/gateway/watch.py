"""Who reads about very many persons: told on offices' pages, and to what watches the gateway (Prometheus)."""

from typing import NamedTuple

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from dem.gateway.parts import Parts

_DAY = 86_400


class Reading(NamedTuple):
    """Of one reader in one office, in the last 24 hours: of how many persons by number, or in lists of members.

    is_bulk: whether they are more than the gateway's configuration calls usual.
    """

    reader: str
    role: str
    persons: int
    is_bulk: bool


def readings(parts: Parts) -> list[Reading]:
    """Those who read most first."""
    most = parts.configuration.persons_per_day
    found = parts.store.persons_read(parts.store.now() - _DAY)
    return [Reading(reader, role, persons, persons > most) for reader, role, persons in found]


def metrics(parts: Parts) -> bytes:
    """What a watcher asks for, in Prometheus' text format."""
    registry = CollectorRegistry()
    read = Gauge(
        "dem_gateway_persons_read", "Persons about whom was read in 24 hours", ("role", "reader"), registry=registry
    )
    bulk = Gauge("dem_gateway_bulk_readers", "Readers above persons_per_day in 24 hours", registry=registry)
    waiting = Gauge("dem_gateway_messages", "Messages by state", ("state",), registry=registry)
    for one in readings(parts):
        read.labels(one.role, one.reader).set(one.persons)
        bulk.inc(one.is_bulk)
    for state, count in parts.store.counts().items():
        waiting.labels(state).set(count)
    return generate_latest(registry)
