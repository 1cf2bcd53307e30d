"""Takes telegrams from a broker, signs a day's registers with the meter's key, and brings them to a gateway.

Nothing is lost while broker, gateway or agent are away. The broker keeps what is published until the agent has it on
its disk: it subscribes with a lasting session and acknowledges late. A signed sheet is kept until it is final on the
chain, and is brought again as often as the gateway does not know it; the chain takes it once.
"""

import contextlib
import logging
import sqlite3
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import paho.mqtt.client as mqtt
import requests
from paho.mqtt.enums import CallbackAPIVersion

from dem.errors import ChainError, DemError, InputError, RequestError
from dem.gateway.client import Client
from dem.messages.readings import ReadingSheet, Register, pack_registers
from dem.model.calendar import CalendarParameters
from dem.model.strips import LANES
from dem.roles.meter_agent.config import Broker, Configuration, Source, key_of, secret
from dem.roles.meter_agent.registers import WAITING, Registers, Sheet, Strip
from dem.roles.meter_agent.telegrams import read_plain, read_telegram

_log = logging.getLogger(__name__)
_CONTRACT = "MeterReadings"
_LEEWAY_SECONDS = 300
"""After a day's end, for telegrams that are on their way; and that a telegram may be ahead of the agent's clock."""
_PAUSE_SECONDS, _LONGEST_PAUSE = 10.0, 120.0
_DAY = 86_400
_AWAY = (ChainError, requests.RequestException, OSError)
"""What a gateway that cannot be reached ends in."""


class Meter:
    """One of an agent's, with its key and its client of the gateway."""

    def __init__(self, source: Source, gateway: str, session: Any = None) -> None:
        self.serial, self.topic, self.width = source.serial, source.topic, source.rolls_over_at_wh
        self._read = read_telegram if source.format == "p1" else read_plain
        self.client = Client(gateway, key_of(source.key_file), session)

    def seen(self, payload: bytes) -> Any:
        """What a telegram says.

        Raises:
            InputError: it will not do, or is another meter's.
        """
        found = self._read(self.topic, payload)
        if found.serial != self.serial:
            raise InputError(self.topic, found.serial, f"is another meter than {self.serial}, which this topic is of")
        return found


class Agent:
    """The work of one agent."""

    def __init__(
        self, configuration: Configuration, clock: Callable[[], float] = time.time, session: Any = None
    ) -> None:
        """session: as of `requests`, for tests.

        Raises:
            DemError: a key cannot be read, or the gateway is away and was never there.
        """
        self._configuration, self._clock = configuration, clock
        meters = [Meter(source, configuration.gateway, session) for source in configuration.meters]
        self._meters = {meter.topic: meter for meter in meters}
        self.registers = Registers(configuration.state)
        market = self._market(meters[0].client)
        self._calendar = CalendarParameters(**market["calendar"])
        for meter in meters:
            meter.client.market = market
        self._end = threading.Event()
        self._trouble = ""
        self._failure: InputError | None = None
        self.is_listening = False
        """Whether the broker sends it what is published now."""

    def _market(self, client: Client) -> dict[str, Any]:
        """As the gateway tells it, or told it when it was there last."""
        known = self.registers.market()
        try:
            found = client.market
        except _AWAY as error:
            if known is None:
                why = f"cannot be asked for the market's calendar ({error}); start the agent again once it is there"
                raise InputError("gateway", self._configuration.gateway, why) from error
            return known
        same = ("chain", "genesis", "contracts", "calendar")
        if known is not None and any(known[name] != found[name] for name in same):
            why = f"serves another market than {self._configuration.state} has registers of: name another file as state"
            raise InputError("gateway", self._configuration.gateway, why)
        self.registers.remember_market(found)
        return found

    # ----------------------------------------------------------------------------------------------- telegrams

    def take(self, topic: str, payload: bytes) -> bool:
        """Keep what a telegram says; whether it will do. What will not is told to the log."""
        try:
            meter = self._meters.get(topic)
            if meter is None:
                raise InputError(topic, None, "is no topic of a meter of this agent")
            seen = meter.seen(payload)
            now = self._clock()
            if seen.at > now + _LEEWAY_SECONDS:
                raise InputError(topic, seen.at, f"is {seen.at - now:.0f} s ahead of this machine's clock")
            if seen.at < now - self._configuration.keep_days * _DAY:
                raise InputError(topic, seen.at, f"is older than {self._configuration.keep_days} days")
            period, opening = self._calendar.period_length, self._calendar.opening
            boundary = opening - (opening - seen.at) // period * period
            self.registers.take(topic, seen, boundary, meter.width)
        except InputError as error:
            _log.warning("not taken: %s", error)
            return False
        return True

    # ------------------------------------------------------------------------------------------------- signing

    def sign(self) -> int:
        """Sign what is complete of days that are over, and was not signed as it is now; how many sheets."""
        return sum(1 for meter in self._meters.values() for _ in self._sign(meter))

    def _sign(self, meter: Meter) -> Iterator[Sheet]:
        first = self.registers.first(meter.serial)
        if first is None:
            return
        for day in range(max(1, self._day(first)), self._day(int(self._clock()) - self._leeway)):
            yield from self._sign_day(meter, day, self._calendar.opening + (day - 1) * self._seconds)

    @property
    def _leeway(self) -> int:
        """Seconds that a day is left to what comes late: where periods last seconds, so do deadlines."""
        return min(_LEEWAY_SECONDS, self._calendar.period_length // 3)

    @property
    def _seconds(self) -> int:
        """Of a day."""
        return self._calendar.period_length * self._calendar.periods_per_day

    def _day(self, at: int) -> int:
        """The day that a moment is in."""
        return (at - self._calendar.opening) // self._seconds + 1

    def _sign_day(self, meter: Meter, day: int, start: int) -> Iterator[Sheet]:
        period, strips = self._calendar.period_length, self._calendar.periods_per_day // LANES
        known = self.registers.at_boundaries(
            meter.serial, start, start + strips * LANES * period, self._configuration.tolerance_seconds
        )
        signed = self.registers.strips(meter.serial, day)
        run: dict[int, list[Register]] = {}
        for strip in range(strips + 1):
            ends = [start + (strip * LANES + n) * period for n in range(LANES + 1)]
            registers = [known[end] for end in ends if end in known]
            is_news = strip not in signed or signed[strip].registers != pack_registers(registers)
            if strip < strips and len(registers) == len(ends) and is_news:
                run[strip] = registers
            elif run:
                yield self._put(meter, day, run, signed)
                run = {}

    def _put(self, meter: Meter, day: int, run: dict[int, list[Register]], signed: dict[int, Strip]) -> Sheet:
        """Sign strips that follow one another as one sheet."""
        sequence = 1 + max((signed[strip].sequence for strip in run if strip in signed), default=0)
        first, *_ = run
        registers = [run[first][0], *(register for own in run.values() for register in own[1:])]
        message = ReadingSheet(meter.client.account, day, first, sequence, pack_registers(registers))
        envelope = meter.client.envelope(_CONTRACT, message)
        sheet = Sheet(envelope.id, meter.serial, day, envelope.model_dump(), WAITING)
        strips = {strip: Strip(sequence, pack_registers(own)) for strip, own in run.items()}
        self.registers.put(sheet, strips, int(self._clock()))
        return sheet

    # ---------------------------------------------------------------------------------------------- forwarding

    def forward(self) -> bool:
        """Bring what the gateway does not know yet, and ask what became of the rest; whether it could be reached."""
        by_serial = {meter.serial: meter for meter in self._meters.values()}
        try:
            for sheet in self.registers.sheets():
                if sheet.serial in by_serial:
                    self._follow(by_serial[sheet.serial].client, sheet)
        except (*_AWAY, RequestError) as error:
            if self._trouble != str(error):
                _log.warning("the gateway cannot take sheets now, and they are kept: %s", error)
            self._trouble = str(error)
            return False
        self._trouble = ""
        return True

    def _follow(self, client: Client, sheet: Sheet) -> None:
        if sheet.state == WAITING:
            state = self._bring(client, sheet)
        else:
            try:
                state = _status(client, sheet.id)
            except RequestError as error:
                if error.status not in (403, 404):
                    raise
                state = self._bring(client, sheet)  # its state was restored from before it had this
        if state["state"] != sheet.state:
            self.registers.move(sheet.id, state["state"])
        if state["state"] == "refused":
            _log.error("day %s of %s is refused: %s", sheet.day, sheet.serial, state["refusal"])

    def _bring(self, client: Client, sheet: Sheet) -> dict[str, Any]:
        try:
            return client.bring_record(sheet.envelope)
        except RequestError as error:
            if error.status == 422:  # it will never do
                return {"state": "refused", "refusal": str(error)}
            raise

    # ------------------------------------------------------------------------------------------------ running

    def step(self) -> bool:
        """Sign and forward what is due; whether the gateway could be reached."""
        self.sign()
        is_reached = self.forward()
        before = int(self._clock()) - self._configuration.keep_days * _DAY
        self.registers.forget(before, self._day(before))
        return is_reached

    def run(self) -> None:
        """Go on until stopped.

        Raises:
            InputError: the state cannot be written, or the broker's password or certificates cannot be read.
        """
        broker = self._connect()
        pause = _PAUSE_SECONDS
        try:
            while not self._end.is_set():
                try:
                    is_reached = self.step()
                except DemError as error:
                    _log.error("%s", error)
                    is_reached = False
                pause = _PAUSE_SECONDS if is_reached else min(2 * pause, _LONGEST_PAUSE)
                self._end.wait(pause)
        finally:
            broker.disconnect()
            broker.loop_stop()
            self.registers.close()
        if self._failure:
            raise self._failure

    def stop(self) -> None:
        """End after what is under way."""
        self._end.set()

    def _connect(self) -> mqtt.Client:
        """A client of the broker that comes again whenever it was cut off."""
        told = self._configuration.broker
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2, told.client_id, clean_session=False, manual_ack=True, reconnect_on_failure=True
        )
        if told.user is not None:
            client.username_pw_set(told.user, secret(told.password_file) if told.password_file else None)
        if told.ca_file is not None:
            client.tls_set_context(_tls(told))

        def on_connect(_client: mqtt.Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
            if reason.is_failure:
                _log.error("the broker at %s:%s refuses the agent: %s", told.host, told.port, reason)
                return
            client.subscribe([(topic, 1) for topic in self._meters])

        def on_message(_client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
            try:
                self.take(message.topic, bytes(message.payload))
            except sqlite3.Error as error:  # without an acknowledgement the broker sends it again
                self._failure = InputError(str(self._configuration.state), None, f"cannot be written: {error}")
                self._end.set()
                return
            client.ack(message.mid, message.qos)  # now that it is on the disk, or in the log

        def on_subscribe(_client: mqtt.Client, _data: Any, _mid: int, reasons: Any, _properties: Any) -> None:
            self.is_listening = not any(reason.is_failure for reason in reasons)
            if not self.is_listening:
                _log.error("the broker at %s:%s lets the agent not read all its topics", told.host, told.port)

        def on_disconnect(_client: mqtt.Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
            self.is_listening = False
            if reason.is_failure:
                _log.warning("the broker is away (%s); what is published is taken when it is back", reason)

        client.on_connect, client.on_subscribe = on_connect, on_subscribe
        client.on_message, client.on_disconnect = on_message, on_disconnect
        client.reconnect_delay_set(1, int(_LONGEST_PAUSE))
        client.connect_async(told.host, told.port, keepalive=30)
        client.loop_start()
        return client


def _tls(broker: Broker) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=str(broker.ca_file))
        if broker.certificate is not None:
            context.load_cert_chain(broker.certificate, broker.key)
    except OSError as error:
        raise InputError("broker", str(broker.ca_file), f"or its certificate cannot be used: {error}") from error
    return context


def _status(client: Client, id_: str) -> dict[str, Any]:
    """What has become of a sheet; a login that has expired is made anew."""
    try:
        return client.status(id_)
    except RequestError as error:
        if error.status != 401:
            raise
    with contextlib.suppress(RequestError):
        client.log_out()
    client.log_in()
    return client.status(id_)
