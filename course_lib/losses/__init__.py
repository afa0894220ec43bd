"""Losses: pure functions of tensors, from logits."""

from course_lib.losses import adversarial, variational
