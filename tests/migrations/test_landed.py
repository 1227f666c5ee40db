"""A migration that has landed never changes: somebody's database was made by it as it was."""

import hashlib

from tests.migrations.databases import MIGRATIONS

LIST = MIGRATIONS / "landed.sha256"
HOW = (
    "Databases were made by it as it was, and none of them would notice the change. Take the "
    "change back (git checkout main -- migrations/versions), and write what you need as a new "
    "migration: flask db migrate -m '…'"
)
HOW_TO_ADD = (
    "It is not in migrations/landed.sha256. Add it when it is finished, in the commit that lands "
    "it, from the folder migrations/: sha256sum versions/FILE >> landed.sha256"
)


def landed() -> dict[str, str]:
    """The hash of each migration by its path, as `sha256sum` writes it."""
    lines = LIST.read_text("utf-8").splitlines()
    return {path: digest for digest, path in (line.split() for line in lines)}


def test_no_landed_migration_has_changed():
    for path, digest in landed().items():
        assert (MIGRATIONS / path).exists(), f"{path} is gone. {HOW}"
        found = hashlib.sha256((MIGRATIONS / path).read_bytes()).hexdigest()
        assert found == digest, f"{path} has changed since it landed. {HOW}"


def test_every_migration_is_in_the_list():
    for path in sorted(MIGRATIONS.glob("versions/*.py")):
        assert f"versions/{path.name}" in landed(), f"{path.name}: {HOW_TO_ADD}"
