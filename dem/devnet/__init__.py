"""A permissioned chain on this machine: authority nodes of go-ethereum that seal blocks in turn (Clique), free of gas.

Made from one file (`config`), its keys made at the first start. Nothing else in the package needs it.
"""
