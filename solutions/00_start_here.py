# ---
# jupyter:
#   course:
#     measures: "nothing yet: how an exercise, a hint, and a check work"
#     slides: "–"
#     title: Start here
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown] slideshow={"slide_type": "slide"}
# # 00 · Start here
#
# This course follows a lecture on **deep generative models for medical image computing**. The lecture shows pictures; here you
# derive, write, break, and measure what they claim. Every claim ends as a number that you produced yourself.
#
# Ten minutes with this page, and you know how the other notebooks work:
# your machine, an exercise with hints and an instant check, a slider, the map.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Your machine
#
# Every notebook starts like this. `setup` seeds every random number, so that you get the text's figures (on a CPU),
# and says what it found. No GPU is needed; where there is one, the same cells run a larger experiment.

# %% slideshow={"slide_type": "fragment"}
import torch
from course_lib import check, hint, score, setup, show, solution

print(setup(seed=0))

# %% [markdown] slideshow={"slide_type": "notes"} tags=["notes"]
# **Timing:** 5 minutes. If a laptop misbehaves, `course doctor` in a terminal says what is wrong in plain words.
# **Ask:** who has trained a neural net before? Who has trained two against each other?

# %% [markdown] slideshow={"slide_type": "slide"}
# ## First predict, then run
#
# A discriminator ends in one number, the **logit** $l$. The logistic function turns it into a probability,
# $\sigma(l) = \dfrac{1}{1+e^{-l}}$.
#
# **Predict before you run anything: how steep is σ at $l = 0$?**
#
# (a) ½  (b) ¼  (c) 1  (d) 0  (e) it depends
#
# Write your letter below, run the cell (Shift + Enter), then run the check. A wrong guess costs nothing, and it is how the point sticks.
#
# <!-- hints: start_here.predict -->

# %% nbgrader={"grade": false, "grade_id": "start_here-predict", "locked": false, "schema_version": 3, "solution": true, "task": false}
prediction = ...  # one letter in quotes, such as "a"
### BEGIN SOLUTION
prediction = "b"
### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "start_here-predict-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
check("start_here.predict")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Move it
#
# A slider is never decoration: it moves one symbol of a formula. Drag the logit and watch the tangent, the dashed line.
# With the keyboard: Tab to the slider, then the arrow keys.


# %% slideshow={"slide_type": "fragment"}
def draw(logit):
    x = torch.linspace(-8, 8, 200)
    height = torch.sigmoid(torch.tensor(logit)).item()
    slope = height * (1 - height)
    chart, ax = show.figure(width=7, height=3.2)
    ax.plot(x.tolist(), torch.sigmoid(x).tolist(), color=show.REAL, label="σ(l)")
    ax.plot(x.tolist(), (height + slope * (x - logit)).tolist(), "--", color=show.FAKE, label="tangent")
    ax.plot([logit], [height], "o", color=show.FAKE)
    ax.set(xlabel="logit l", ylabel="probability", ylim=(-0.05, 1.05))
    ax.set_title(f"At l = {logit:.1f} the slope of σ is {slope:.3f}")
    ax.legend(loc="upper left")
    return chart


show.explore(draw, "the logistic function and its slope at a logit you choose", logit=(-8, 8, 0.1, 0.0))

# %% [markdown]
# At 0 the slope is 0.250, its largest value; at ±8 it is nearly 0. Through a σ that is very sure hardly any gradient passes:
# a GAN can stop learning there, and lecture 02 measures it.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Exercise: write it
#
# *Difficulty ●○○○○ · importance ●●●○○ · 3 minutes*
#
# Write `logistic(logit)`: a tensor of any shape in, a tensor of the same shape out. It has to survive logits of ±800, and a
# gradient has to get through.
#
# Every exercise is three cells: this text with its hints, your answer, and a locked check. Leave it open if you like:
# the check says so, lends the course's own version to the cells below, and **nothing is ever blocked**.
#
# <!-- hints: start_here.logistic -->


# %% nbgrader={"grade": false, "grade_id": "start_here-logistic", "locked": false, "schema_version": 3, "solution": true, "task": false}
def logistic(logit):
    """The probability σ(l) = 1 / (1 + exp(-l)) of every logit."""
    ### BEGIN SOLUTION
    return torch.sigmoid(logit)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "start_here-logistic-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
logistic = check("start_here.logistic")
# stuck? hint("start_here.logistic") gives one hint more each time; solution("start_here.logistic") shows an answer

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What a check tells you
#
# A check tries your function on fresh random inputs, the extremes, and one number. If it knows your mistake, it names it.
# Here are four wrong answers, and what it says:

# %% slideshow={"slide_type": "fragment"}
_ = check("start_here.logistic", lambda logit: 1 / (1 + torch.exp(-logit)))

# %%
_ = check("start_here.logistic", lambda logit: torch.tanh(logit))

# %%
_ = check("start_here.logistic", lambda logit: logit[:, 0].sigmoid())

# %%
_ = check("start_here.logistic", lambda logit: logit.sigmiod())

# %% [markdown]
# The first has the right value at every logit. Its gradient breaks far out, and training with it: that is why the extremes are in.
# The check runs inside your own notebook and is for practice; graded work is run elsewhere, on inputs nobody has seen.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The map
#
# <!-- map -->
#
# Each lecture takes 45 to 60 minutes and runs in under two. Any order works; the numbers follow the slides.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Good to know
#
# - **Run All** always works, solved or not: *Run → Run All Cells*. **Something odd?** *Kernel → Restart Kernel and Run All Cells*.
# - **A training can be stopped** with ■ (or the keys I, I). What it has learned so far is kept, and the next cells go on with it.
# - **Compare with the solution**: the folder `solutions/` holds every notebook solved, with its outputs.
# - **Hand in** the notebook file itself (*File → Download*). Names of functions must stay; everything else may change.
# - **Present**: the same cells are slides. *View → Activate Command Palette → Start Deck*, then the arrow keys or Space.

# %% slideshow={"slide_type": "skip"}
score()
