"""Networks: one file per family."""

from course_lib.nets.mlp import Ensemble, mlp
