"""Lecture 00: one exercise to learn how exercises work."""

import torch

from course_lib.exercises.kinds import choice, function

predict = choice(
    "start_here.predict",
    "prediction",
    "b",
    why="σ is steepest where it is undecided: at logit 0 its slope is ½·(1 − ½) = ¼. You will meet this slope again in lecture 02.",
    wrong={
        "a": "σ(0) is ½, but the question asks for the slope there. What is the derivative of σ?",
        "c": "A slope of 1 would take σ from 0 to 1 within one logit. See below how far it needs.",
        "d": "The slope dies far away, at logits of ±10. At 0 the curve is at its steepest.",
        "e": "The slope of σ is σ·(1 − σ), a number that depends on the logit; at 0 it is fixed.",
    },
    hints=("σ′ = σ·(1 − σ). What is σ(0)?", "½ · ½ = ?"),
)


@function(
    "start_here.logistic",
    gradients=("logit",),
    draw=lambda g: {
        "values": (g.normal(3, 4, scale=3),),
        "logits of ±800": (torch.tensor([-800.0, -80.0, 80.0, 800.0], dtype=torch.float64),),
        "a single number": (g.normal(),),
    },
    hints=(
        "σ(l) = 1 / (1 + e⁻ˡ). In PyTorch the exponential is `torch.exp`, and it works on a whole tensor at once.",
        "At l = −800, e⁸⁰⁰ is infinite and its gradient is not a number. A library function is written with care for that.",
        "`torch.sigmoid` does it.",
    ),
)
def logistic(logit):
    return torch.sigmoid(logit)


# fmt: off
logistic.known([
    lambda logit: logit.sigmoid(),
    lambda logit: torch.special.expit(logit),
    lambda logit: torch.exp(torch.nn.functional.logsigmoid(logit)),
], {
    "Right for moderate logits. But e⁸⁰⁰ overflows, and the gradient at −800 becomes NaN. A library function is written with care for that.": lambda logit: 1 / (1 + torch.exp(-logit)),
    "The sign of the exponent is wrong: this is 1 − σ, the probability of the other class.": lambda logit: torch.sigmoid(-logit),
    "This is tanh, which runs from −1 to 1. A probability runs from 0 to 1.": lambda logit: torch.tanh(logit),
    "The values are right, but `.detach()` or `.item()` cut the gradient: nothing could be trained through this.": lambda logit: torch.sigmoid(logit.detach()),
    "This is a softmax over the last axis: its values sum to 1. Here every logit stands alone.": lambda logit: torch.softmax(logit, -1),
})
