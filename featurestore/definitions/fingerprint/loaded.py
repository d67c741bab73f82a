"""The fingerprints of loaded definitions, taken when their modules are imported.

The files of a project may change while a process runs. What the process computes is what it imported, so the
fingerprint is taken then and stays with the definition.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from featurestore.definitions.fingerprint.of_definition import Fingerprints, root_of

if TYPE_CHECKING:
    from pathlib import Path

    from featurestore.definitions.catalog import Catalog
    from featurestore.definitions.fingerprint.definition_parts import Fingerprinted
    from featurestore.definitions.fingerprint.parts import Fingerprint
    from featurestore.definitions.fingerprint.project_files import ProjectFiles

_KEPT = "_fingerprint"
_FILES = "_files"


def keep_fingerprints(catalog: Catalog, root: Path) -> None:
    """Take the fingerprint of every definition of a catalog that was just loaded.

    Raises
    ------
    DefinitionError
        As `featurestore.definitions.fingerprint.fingerprint_of`.
    """
    fingerprints = Fingerprints(catalog, root.resolve())
    for definition in all_definitions(catalog):
        # Definitions are frozen for their users.
        object.__setattr__(definition, _KEPT, fingerprints.of(definition))
        object.__setattr__(definition, _FILES, fingerprints.files)


def all_definitions(catalog: Catalog) -> tuple[Fingerprinted, ...]:
    """List the definitions of a catalog that have a fingerprint."""
    return (
        *catalog.nodes.values(),
        *catalog.on_demand.values(),
        *catalog.services.values(),
        *catalog.training_sets.values(),
    )


def changed_files(definition: Fingerprinted) -> tuple[str, ...]:
    """List the files of the project that changed after this process read them, relative to the project's folder.

    The list is empty for a definition that was not loaded from a project.
    """
    files: ProjectFiles | None = vars(definition).get(_FILES)
    return () if files is None else files.changed()


def fingerprint(definition: Fingerprinted) -> Fingerprint:
    """Return the fingerprint of a definition as it was loaded.

    A definition of no loaded catalog, such as a service that a request made, gets its fingerprint here. What it reads
    must be loaded, or read nothing itself.

    Raises
    ------
    DefinitionError
        As `featurestore.definitions.fingerprint.fingerprint_of`.
    """
    kept: Fingerprint | None = vars(definition).get(_KEPT)
    if kept is None:
        from featurestore.definitions.catalog import Catalog  # noqa: PLC0415 - the catalog imports this module

        catalog = Catalog()
        kept = Fingerprints(catalog, root_of(definition).resolve(), kept=kept_fingerprint).of(definition)
        object.__setattr__(definition, _KEPT, kept)
    return kept


def kept_fingerprint(definition: Fingerprinted) -> Fingerprint | None:
    """Return the fingerprint that was taken when a definition was loaded; None: it was not loaded from a project."""
    kept: Fingerprint | None = vars(definition).get(_KEPT)
    return kept
