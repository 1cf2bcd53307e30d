"""The market on an EVM in this process: for numbers, thousands of transactions a second."""
