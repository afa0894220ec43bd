"""Exercises: one spec each, told apart by kind; the instant check; hints and solutions."""

from course_lib.exercises.check import check, hint, score, solution
from course_lib.exercises.quiz import quiz
from course_lib.exercises.registry import exercises, find
