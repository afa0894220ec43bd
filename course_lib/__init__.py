"""The library behind the course's notebooks: data, nets, losses, one training loop, metrics, pictures, exercises."""

from course_lib import data, losses, metrics, nets, show
from course_lib.device import generator, pick, setup
from course_lib.exercises import check, hint, quiz, score, solution
from course_lib.fit import fit
from course_lib.optim import adam, linear_decay
