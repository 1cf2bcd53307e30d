"""Parts of scenario.toml that most scenarios of the tests have in common."""

LEADS = """\
open_lead_seconds = 64800
gate_lead_seconds = 43200
metering_lag_seconds = 21600
correction_lag_seconds = 86400
"""
TRUTHFUL = """
[strategies]
default = "truthful"
"""


def rules(max_buy: str = "0.35", max_layers: int = 4, tolerance_fixed_wh: int = 100) -> str:
    """The rules from day 1 on."""
    return f"""\
[[rules]]
first_day = 1
platform_fee = 0.002
network_fee = 0.01
deviation_rate = 0.002
standing_buy = 0.28
standing_sell = 0
max_buy = {max_buy}
tolerance_fixed_wh = {tolerance_fixed_wh}
tolerance_share = 1000
min_order_energy_wh = 5
max_layers = {max_layers}
imbalance_pricing = "single"
charge_helpful = false
boundary_margin_wh = 100
"""
