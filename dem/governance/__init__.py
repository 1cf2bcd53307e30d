"""The council and the sealers."""
