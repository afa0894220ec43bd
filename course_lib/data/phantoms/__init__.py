"""Head phantoms with known truth: anatomy from knobs, physics from the tissue table, a scanner's faults. Nothing stored."""

from course_lib.data.phantoms.anatomy import FIELD_OF_VIEW, KNOBS, TISSUES
from course_lib.data.phantoms.heads import BRAIN, LESION, Heads, heads, paired, unpaired
from course_lib.data.phantoms.physics import (
    CT,
    PROTOCOLS,
    TABLE,
    GradientEcho,
    InversionRecovery,
    SpinEcho,
    SusceptibilityWeighted,
    Tissue,
    render,
)
from course_lib.data.phantoms.scanner import Scanner
