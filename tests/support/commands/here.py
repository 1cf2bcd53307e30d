"""Commands in the process of the test: ape and the contracts are loaded once for all of them."""

from click.testing import CliRunner, Result

from dem.commands import cli


def command(*words: object) -> Result:
    """`dem WORDS`, awaited."""
    return CliRunner().invoke(cli, [str(word) for word in words])
