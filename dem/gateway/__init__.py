"""The gateway: what people's software asks a market, and brings to it, over HTTP. It holds no participant's key."""
