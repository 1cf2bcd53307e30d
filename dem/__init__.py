"""DEM: a decentralized electricity market."""
