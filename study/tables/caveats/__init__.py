"""What a table cannot say."""

from study.storage.checks import COLLAPSE
from study.tables.caveats.curves import collapsed
from study.tables.caveats.imports import of_an_import
from study.tables.caveats.of_study import busy, kind_unknown, unreached, warnings
from study.tables.caveats.provenance import of_fresh_seeds, of_the_aim, of_the_readings

__all__ = [
    "COLLAPSE",
    "busy",
    "collapsed",
    "kind_unknown",
    "of_an_import",
    "of_fresh_seeds",
    "of_the_aim",
    "of_the_readings",
    "unreached",
    "warnings",
]
