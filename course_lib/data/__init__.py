"""Data: exact distributions, real digits, device-resident batches, and stored results of long runs."""

from course_lib.data import digits, files, phantoms
from course_lib.data.batches import Batches, shuffled
from course_lib.data.stored import stored
from course_lib.data.toys import Curves, Gaussians, Pinwheel, Toy, grid, moons, normal, pinwheel, ring, spirals
