"""An agent signs exactly what the meter counted, and loses nothing while broker, gateway or itself are away."""

import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
import requests
from eth_account import Account
from paho.mqtt.enums import CallbackAPIVersion
from sqlalchemy import delete
from support.gateway import CALENDAR, CHAIN, CONTRACTS, Gateway, key_of, make_gateway, make_index
from support.mqtt import KINDS, Broker
from support.telegrams import SERIAL, telegram

from dem.errors import InputError
from dem.gateway.protocol import Envelope, check
from dem.gateway.state import MESSAGE, State
from dem.messages.readings import ReadingSheet, Register, net_consumption
from dem.roles.meter_agent import agent as agents
from dem.roles.meter_agent.agent import Agent
from dem.roles.meter_agent.config import load

KEY = key_of("a meter")
TODAY = 1158
"""Day of the test gateway's clock."""
DAY, PERIOD = 86_400, 900
CONFIG = """
gateway = "http://testserver"
keep_days = 9
[broker]
port = {port}
client_id = "agent-1"
[[meters]]
serial = "{serial}"
topic = "p1/home"
key_file = "meter.key"
"""


class Switch:
    """A session of `requests` to a gateway that can be away."""

    def __init__(self, web: Any) -> None:
        self.web, self.is_away = web, False

    def request(self, *args: Any, **told: Any) -> Any:
        if self.is_away:
            raise requests.ConnectionError("the line is cut")
        return self.web.request(*args, **told)


@pytest.fixture(scope="session")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_index(tmp_path_factory.mktemp("index") / "index.sqlite")


@pytest.fixture
def gateway(tmp_path: Path, index: Path) -> Iterator[Gateway]:
    made = make_gateway(tmp_path, index)
    yield made
    made.store.close()


def configure(folder: Path, port: int = 1, **edits: str) -> Path:
    path, key = folder / "agent.toml", folder / "meter.key"
    text = CONFIG.format(port=port, serial=SERIAL)
    for old, new in edits.items():
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")
    key.write_text(KEY.hex(), encoding="utf-8")
    key.chmod(0o600)
    return path


def start_of(day: int) -> int:
    return CALENDAR.opening + (day - 1) * DAY


def counted(day: int, n: int) -> tuple[int, int]:
    """What both registers show at the end of the n-th period of a day: each period something else."""
    number = (day - TODAY + 20) * 96 + n
    return 7 * number + number % 5, 3 * number


def telegrams(day: int, *, skip: tuple[int, ...] = (), seconds: int = 5) -> Iterator[bytes]:
    """One shortly before each end of a period, and one in between that does not count."""
    for n in range(97):
        imported, exported = counted(day, n)
        if n not in skip:
            yield telegram(start_of(day) + n * PERIOD - seconds, (imported, 10), (exported, 0))


def sheets(gateway: Gateway) -> list[ReadingSheet]:
    """What the gateway was brought."""
    found = []
    for record in gateway.store.messages(State.QUEUED, 1_000):
        message = check(Envelope.model_validate(record.envelope), CHAIN, CONTRACTS).message
        assert isinstance(message, ReadingSheet)
        found.append(message)
    return sorted(found, key=lambda sheet: (sheet.day, sheet.first_strip, sheet.sequence))


def nets(day: int) -> list[int]:
    ends = [counted(day, n) for n in range(97)]
    return [(b[0] - a[0]) - (b[1] - a[1]) for a, b in pairwise(ends)]


def test_a_day_is_signed_to_the_wh_and_once(gateway: Gateway, tmp_path: Path) -> None:
    agent = Agent(load(configure(tmp_path)), lambda: gateway.now[0], Switch(gateway.web))
    for payload in telegrams(TODAY - 1):
        assert agent.take("p1/home", payload)
        assert agent.take("p1/home", payload)  # that it comes twice changes nothing
    assert agent.step()
    [sheet] = sheets(gateway)
    assert (sheet.meter, sheet.day, sheet.first_strip, sheet.sequence) == (
        Account.from_key(KEY).address, TODAY - 1, 0, 1
    )  # fmt: skip
    assert net_consumption(sheet.registers).tolist() == nets(TODAY - 1)
    first = int.from_bytes(sheet.registers[:8], "big"), int.from_bytes(sheet.registers[8:16], "big")
    assert first == (counted(TODAY - 1, 0)[0] + 10, counted(TODAY - 1, 0)[1])
    agent.step()
    again = Agent(load(tmp_path / "agent.toml"), lambda: gateway.now[0], Switch(gateway.web))
    again.step()
    assert len(sheets(gateway)) == 1
    gateway.step()
    gateway.node.blocks += [[]] * 4
    gateway.step()
    again.step()
    assert [one.state for one in again.registers.sheets(is_all=True)] == ["final"]


@pytest.mark.parametrize("is_shuffled", [False, True])
def test_registers_that_begin_anew_count_on(gateway: Gateway, tmp_path: Path, is_shuffled: bool) -> None:
    width = 10_000
    config = configure(tmp_path, key_file=f"rolls_over_at_wh = {width}\nkey_file")
    agent = Agent(load(config), lambda: gateway.now[0], Switch(gateway.web))
    shown = [(9_750 + 100 * n, 40 * n) for n in range(97)]
    ends = [
        telegram(start_of(TODAY - 1) + n * PERIOD - 5, (imported % width, 0), (exported % width, 0))
        for n, (imported, exported) in enumerate(shown)
    ]
    if is_shuffled:
        ends[2], ends[3], ends[5] = ends[3], ends[5], ends[2]
    for payload in ends:
        assert agent.take("p1/home", payload)
    assert agent.step()
    [sheet] = sheets(gateway)
    assert net_consumption(sheet.registers).tolist() == [60] * 96
    assert agent.registers.at_boundaries(SERIAL, start_of(TODAY), start_of(TODAY), 60) == {
        start_of(TODAY): Register(*shown[96])
    }
    # After all that is kept is forgotten it still knows where it was.
    agent.registers.forget(start_of(TODAY) + DAY, TODAY + 1)
    later = telegram(start_of(TODAY) + 95, ((shown[96][0] + 300) % width, 0), (shown[96][1], 0))
    assert agent.take("p1/home", later)
    assert [*agent.registers.at_boundaries(SERIAL, 0, 1 << 40, 1_000).values()][-1].imported == shown[96][0] + 300


def test_a_register_with_more_digits_than_it_has_is_not_taken(gateway: Gateway, tmp_path: Path) -> None:
    config = configure(tmp_path, key_file="rolls_over_at_wh = 10000\nkey_file")
    agent = Agent(load(config), lambda: gateway.now[0], Switch(gateway.web))
    assert not agent.take("p1/home", telegram(start_of(TODAY) - 5, (10_000, 0), (0, 0)))


def test_seven_days_without_a_gateway_are_brought_when_it_is_back(gateway: Gateway, tmp_path: Path) -> None:
    line = Switch(gateway.web)
    now = [float(start_of(TODAY - 7))]
    Agent(load(configure(tmp_path)), lambda: now[0], line).registers.close()  # it has met the gateway once
    line.is_away = True
    for day in range(TODAY - 7, TODAY):
        # A new process each day, as after a loss of power.
        agent = Agent(load(tmp_path / "agent.toml"), lambda: now[0], line)
        now[0] = start_of(day + 1) + 301
        for payload in telegrams(day):
            assert agent.take("p1/home", payload)
        assert not agent.step()
        agent.registers.close()
    assert sheets(gateway) == []
    line.is_away = False
    agent = Agent(load(tmp_path / "agent.toml"), lambda: now[0], line)
    assert agent.step()
    found = sheets(gateway)
    assert [sheet.day for sheet in found] == [*range(TODAY - 7, TODAY)]
    for sheet in found:
        assert net_consumption(sheet.registers).tolist() == nets(sheet.day)


def test_a_gateway_that_has_lost_its_state_is_brought_it_again(gateway: Gateway, tmp_path: Path) -> None:
    agent = Agent(load(configure(tmp_path)), lambda: gateway.now[0], Switch(gateway.web))
    for payload in telegrams(TODAY - 1):
        agent.take("p1/home", payload)
    agent.step()
    with gateway.store.engine.begin() as connection:
        connection.execute(delete(MESSAGE))
    agent.step()
    assert len(sheets(gateway)) == 1


def test_what_was_not_heard_is_not_signed_and_what_comes_late_is(gateway: Gateway, tmp_path: Path) -> None:
    agent = Agent(load(configure(tmp_path)), lambda: gateway.now[0], Switch(gateway.web))
    for payload in telegrams(TODAY - 1, skip=(20,)):  # an end inside strip 3
        agent.take("p1/home", payload)
    agent.step()
    assert [(sheet.first_strip, len(sheet.registers)) for sheet in sheets(gateway)] == [(0, 304), (4, 1168)]
    [late] = [payload for n, payload in enumerate(telegrams(TODAY - 1)) if n == 20]
    assert agent.take("p1/home", late)
    agent.step()
    assert [(sheet.first_strip, sheet.sequence) for sheet in sheets(gateway)] == [(0, 1), (3, 1), (4, 1)]


def test_registers_nearer_to_the_end_of_a_period_are_signed_anew(gateway: Gateway, tmp_path: Path) -> None:
    agent = Agent(load(configure(tmp_path)), lambda: gateway.now[0], Switch(gateway.web))
    for payload in telegrams(TODAY - 1):
        agent.take("p1/home", payload)
    agent.step()
    imported, exported = counted(TODAY - 1, 1)
    assert agent.take("p1/home", telegram(start_of(TODAY - 1) + PERIOD, (imported + 1, 10), (exported, 0)))
    agent.step()
    [_, correction] = sheets(gateway)
    assert (correction.first_strip, correction.sequence) == (0, 2)
    assert net_consumption(correction.registers).tolist()[:2] == [nets(TODAY - 1)[0] + 1, nets(TODAY - 1)[1] - 1]


def test_a_telegram_too_long_before_the_end_says_nothing_of_it(gateway: Gateway, tmp_path: Path) -> None:
    agent = Agent(load(configure(tmp_path)), lambda: gateway.now[0], Switch(gateway.web))
    for payload in telegrams(TODAY - 1, seconds=61):
        agent.take("p1/home", payload)
    agent.step()
    assert sheets(gateway) == []


def test_what_is_not_taken_is_told_to_the_log(
    gateway: Gateway, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    agent = Agent(load(configure(tmp_path)), lambda: gateway.now[0], Switch(gateway.web))
    now = int(gateway.now[0])
    assert agent.take("p1/home", telegram(now - 60, (100, 0), (5, 0)))
    for payload, said in (
        (telegram(now - 30, (99, 0), (5, 0)), "99 Wh of import is below the 100 Wh"),
        (telegram(now - 90, (101, 0), (5, 0)), "101 Wh of import is above the 100 Wh"),
        (telegram(now - 30, (100, 0), (4, 0)), "4 Wh of export is below the 5 Wh"),
        (telegram(now, (100, 0), (5, 0), serial="99"), f"'99' is another meter than {SERIAL}"),
        (telegram(now + 301, (100, 0), (5, 0)), "is 301 s ahead of this machine's clock"),
        (telegram(now - 10 * DAY, (1, 0)), "is older than 9 days"),
        (b"\xff", "is no telegram"),
    ):
        assert not agent.take("p1/home", payload)
        assert said in caplog.messages[-1]
    assert not agent.take("p1/other", telegram(now, (100, 0)))
    assert "is no topic of a meter" in caplog.messages[-1]


def test_what_the_chain_refuses_is_told_and_not_brought_again(
    gateway: Gateway, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    agent = Agent(load(configure(tmp_path)), lambda: gateway.now[0], Switch(gateway.web))
    for payload in telegrams(TODAY - 1):
        agent.take("p1/home", payload)
    agent.step()
    [sheet] = agent.registers.sheets()
    gateway.node.refusals[sheet.id] = "CorrectionWindowClosed(day=1157)"
    gateway.step()
    agent.step()
    assert "is refused: CorrectionWindowClosed(day=1157)" in caplog.messages[-1]
    assert agent.registers.sheets() == []


def test_old_registers_are_let_go_and_waiting_sheets_are_not(gateway: Gateway, tmp_path: Path) -> None:
    line = Switch(gateway.web)
    agent = Agent(load(configure(tmp_path)), lambda: gateway.now[0], line)
    for payload in telegrams(TODAY - 1):
        agent.take("p1/home", payload)
    line.is_away = True
    agent.step()
    gateway.now[0] += 30 * DAY
    agent.step()
    assert agent.registers.first(SERIAL) is None
    assert len(agent.registers.sheets()) == 1
    line.is_away = False
    agent.step()
    assert len(sheets(gateway)) == 1


def test_a_gateway_of_another_market_is_refused(gateway: Gateway, tmp_path: Path) -> None:
    path = configure(tmp_path)
    agent = Agent(load(path), lambda: gateway.now[0], Switch(gateway.web))
    agent.registers.remember_market({**agent.registers.market(), "chain": 1})  # type: ignore[dict-item]
    with pytest.raises(InputError, match="serves another market than"):
        Agent(load(path), lambda: gateway.now[0], Switch(gateway.web))


@pytest.mark.parametrize(
    ("edits", "said"),
    [
        ({"[broker]": "colour = 1\n[broker]"}, "colour: 1 is no key that is known"),
        ({'client_id = "agent-1"': ""}, "broker.client_id"),
        ({'"p1/home"': '"p1/#"'}, "meters.0.topic"),
        ({'"meter.key"': '"none.key"'}, "none.key: cannot be read"),
        ({'"http://testserver"': '"testserver"'}, "gateway"),
    ],
)
def test_what_is_wrong_with_a_configuration(tmp_path: Path, gateway: Gateway, edits: dict[str, str], said: str) -> None:
    with pytest.raises(InputError) as caught:
        Agent(load(configure(tmp_path, **edits)), session=Switch(gateway.web))
    assert said in str(caught.value)


def test_a_key_that_others_can_read_is_refused(tmp_path: Path, gateway: Gateway) -> None:
    path = configure(tmp_path)
    (tmp_path / "meter.key").chmod(0o644)
    with pytest.raises(InputError, match="can be read by others: chmod 600"):
        Agent(load(path), session=Switch(gateway.web))


def test_certificates_that_are_none_are_refused(tmp_path: Path, gateway: Gateway) -> None:
    (tmp_path / "ca.pem").write_text("no certificate", encoding="utf-8")
    path = configure(tmp_path, **{"[[meters]]": 'ca_file = "ca.pem"\n[[meters]]'})
    with pytest.raises(InputError, match="or its certificate cannot be used"):
        Agent(load(path), session=Switch(gateway.web)).run()


@pytest.fixture(params=KINDS)
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Broker]:
    folder = tmp_path / "broker"
    folder.mkdir()
    made = Broker(request.param, folder)
    made.start()
    yield made
    made.stop()


def publish(reader: mqtt.Client, payloads: Iterator[bytes]) -> list[mqtt.MQTTMessageInfo]:
    return [reader.publish("p1/home", payload, qos=1) for payload in payloads]


def wait_for(what: Any, seconds: float = 400) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_nothing_is_lost_while_broker_agent_or_gateway_are_away(
    gateway: Gateway, tmp_path: Path, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agents, "_PAUSE_SECONDS", 0.2)
    monkeypatch.setattr(agents, "_LONGEST_PAUSE", 1.0)
    line = Switch(gateway.web)
    path = configure(tmp_path, broker.port)
    reader = mqtt.Client(CallbackAPIVersion.VERSION2, "p1-reader", clean_session=False)
    reader.max_queued_messages_set(0)
    reader.reconnect_delay_set(1, 1)
    reader.connect("127.0.0.1", broker.port)
    reader.loop_start()

    def start() -> tuple[Agent, threading.Thread]:
        agent = Agent(load(path), lambda: gateway.now[0], line)
        thread = threading.Thread(target=agent.run)
        thread.start()
        return agent, thread

    def days() -> list[int]:
        """Those of which every strip was brought, in however many sheets."""
        strips = {
            (sheet.day, sheet.first_strip + n) for sheet in sheets(gateway) for n in range(len(sheet.registers) // 96)
        }
        return [day for day in range(TODAY - 9, TODAY) if len([one for one in strips if one[0] == day]) == 16]

    agent, thread = start()
    try:
        wait_for(lambda: agent.is_listening)
        publish(reader, telegrams(TODAY - 5))
        wait_for(lambda: days() == [TODAY - 5])

        if broker.kind == "amqtt":  # which forgets who listens when it ends: so the reader waits for that
            reader.disconnect()
            reader.loop_stop()
        broker.stop()  # the reader keeps what it has, and the agent comes again
        publish(reader, telegrams(TODAY - 4))
        time.sleep(1)
        assert days() == [TODAY - 5]
        broker.start()
        if broker.kind == "amqtt":
            wait_for(lambda: agent.is_listening)
            reader.reconnect()
            reader.loop_start()
        wait_for(lambda: days() == [TODAY - 5, TODAY - 4])

        agent.stop()  # the broker keeps what is published
        thread.join()
        if broker.kind == "mosquitto":  # amqtt keeps not all of it
            for info in publish(reader, telegrams(TODAY - 3)):
                info.wait_for_publish(30)
        agent, thread = start()
        wait_for(lambda: agent.is_listening)
        if broker.kind == "amqtt":
            publish(reader, telegrams(TODAY - 3))
        wait_for(lambda: days() == [TODAY - 5, TODAY - 4, TODAY - 3])

        line.is_away = True  # the agent keeps what is signed
        publish(reader, telegrams(TODAY - 2))
        wait_for(lambda: [sheet.day for sheet in agent.registers.sheets() if sheet.state == "waiting"])
        assert days() == [TODAY - 5, TODAY - 4, TODAY - 3]
        line.is_away = False
        wait_for(lambda: days() == [TODAY - 5, TODAY - 4, TODAY - 3, TODAY - 2])
    finally:
        agent.stop()
        thread.join()
        reader.loop_stop()
    # Whatever was signed of a day while its telegrams were coming, the last word of each strip is the right one.
    for sheet in sheets(gateway):
        first = 6 * sheet.first_strip
        found = net_consumption(sheet.registers).tolist()
        assert found == nets(sheet.day)[first : first + len(found)]
