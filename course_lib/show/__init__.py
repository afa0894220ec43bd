"""Pictures: arrays in, figure out; and sliders over a pure function."""

from course_lib.show.figures import array, curves, field, grid, losses, points
from course_lib.show.style import CRITIC, CYCLE, EXACT, FAKE, OTHER, REAL, Chart, figure
from course_lib.show.table import Claim, about, measured, table
from course_lib.show.widgets import Explorer, explore
