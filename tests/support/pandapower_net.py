"""A network of the tables as pandapower has it, to hold one power flow against another."""

from typing import Any

import numpy as np
import pandapower

from dem.grid.network import HIGH, PPM, Network


def net_of(network: Network) -> Any:
    """The same network, with a load at every bus, in the order of the buses."""
    net = pandapower.create_empty_network()
    buses, lines, number = network.buses, network.lines, network.number
    pandapower.create_buses(net, len(buses), [bus.voltage / 1_000 for bus in buses], name=[bus.name for bus in buses])
    for source in network.sources:
        pandapower.create_ext_grid(net, number[source.bus], source.voltage / PPM)
    pandapower.create_lines_from_parameters(
        net,
        [number[line.start] for line in lines],
        [number[line.end] for line in lines],
        length_km=1,
        r_ohm_per_km=[line.r / 1e6 for line in lines],
        x_ohm_per_km=[line.x / 1e6 for line in lines],
        c_nf_per_km=[line.b / (2 * np.pi * net.f_hz) for line in lines],
        max_i_ka=[line.rating / 1e6 for line in lines],
        name=[line.name for line in lines],
    )
    for own in network.transformers:
        pandapower.create_transformer_from_parameters(
            net,
            number[own.high],
            number[own.low],
            sn_mva=own.rating / 1e6,
            vn_hv_kv=own.high_voltage / 1_000,
            vn_lv_kv=own.low_voltage / 1_000,
            vk_percent=own.short_circuit / 1e4,
            vkr_percent=own.copper_loss / own.rating * 100,
            pfe_kw=own.iron_loss / 1_000,
            i0_percent=own.magnetising / 1e4,
            tap_side="hv" if own.tap_side == HIGH else "lv",
            tap_pos=own.tap_position,
            tap_neutral=own.tap_neutral,
            tap_min=own.tap_lowest,
            tap_max=own.tap_highest,
            tap_step_percent=own.tap_step / 1e4,
            tap_changer_type="Ratio",
            name=own.name,
        )
    pandapower.create_loads(net, range(len(buses)), 0.0)
    return net


def solve(net: Any, power: np.ndarray, reactive: np.ndarray) -> None:
    """One power flow; results are in the net."""
    net.load["p_mw"], net.load["q_mvar"] = power / 1e6, reactive / 1e6
    pandapower.runpp(net, tolerance_mva=1e-10, trafo_model="pi", trafo_loading="current", numba=False)
