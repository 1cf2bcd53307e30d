from support.governed import council, governed, market, stranger, village  # noqa: F401
