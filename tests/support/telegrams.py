"""Telegrams as meters send them, written after the public description of the P1 port (DSMR 5)."""

from datetime import UTC, datetime, timedelta, timezone

from dem.roles.meter_agent.telegrams import crc16

SERIAL = "4530303236303030303430323331323135"


def telegram(at: int, imported: tuple[int, int], exported: tuple[int, int] = (0, 0), serial: str = SERIAL) -> bytes:
    """What a meter with two tariffs says at a moment; registers in Wh."""
    summer = (
        datetime(2026, 3, 29, 1, tzinfo=UTC) <= datetime.fromtimestamp(at, UTC) < datetime(2026, 10, 25, 1, tzinfo=UTC)
    )
    local = datetime.fromtimestamp(at, timezone(timedelta(hours=2 if summer else 1)))
    lines = [
        "/DEM5\\TEST METER",
        "",
        "1-3:0.2.8(50)",
        f"0-0:1.0.0({local:%y%m%d%H%M%S}{'S' if summer else 'W'})",
        f"0-0:96.1.1({serial})",
        *(f"1-0:1.8.{n}({wh // 1000:06}.{wh % 1000:03}*kWh)" for n, wh in enumerate(imported, start=1)),
        *(f"1-0:2.8.{n}({wh // 1000:06}.{wh % 1000:03}*kWh)" for n, wh in enumerate(exported, start=1)),
        "0-0:96.14.0(0002)",
        "1-0:1.7.0(00.193*kW)",
        "1-0:2.7.0(00.000*kW)",
        "0-0:96.13.0()",
        "1-0:32.7.0(230.1*V)",
        "0-1:24.2.1(260301120000W)(00012.345*m3)",
        "!",
    ]
    text = "\r\n".join(lines).encode()
    return text + f"{crc16(text):04X}\r\n".encode()
