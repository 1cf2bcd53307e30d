"""Grid security (rule 10) as far as it needs no contract: a network, its power flow, limits that keep it safe."""
