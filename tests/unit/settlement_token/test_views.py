from web3.contract import Contract


def test_one_token_unit_is_one_money_unit(token: Contract) -> None:
    assert token.functions.decimals().call() == 8


def test_is_named(token: Contract) -> None:
    assert (token.functions.name().call(), token.functions.symbol().call()) == ("DEM settlement token", "DEM")
