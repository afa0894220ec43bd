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

# %% [markdown] slideshow={"slide_type": "notes"} tags=["notes"]
# **Timing:** 10 minutes in all; this page 1.
# **Ask:** "Which picture in the news was made by a network, and how would you measure how good it is?" (No answer yet. The course is about that.)
# **Goes wrong:** people read ahead. Run All first, on every laptop: it takes three seconds.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Your machine
#
# Every notebook starts like this. `setup` seeds every random number, so that you get the text's figures (on a CPU),
# and says what it found. No GPU is needed; where there is one, the same cells run a larger experiment.

# %% slideshow={"slide_type": "fragment"}
import torch
from course_lib import check, hint, quiz, score, setup, show, solution

print(setup(seed=0))

# %% [markdown] slideshow={"slide_type": "notes"} tags=["notes"]
# **Timing:** 2 minutes.
# **Ask:** who has trained a neural net before? Who has trained two against each other?
# **Goes wrong:** a laptop without the packages, or with an old Python. `course doctor` in a terminal says what is wrong in plain words.

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
# Vote, or write your letter into the cell below and run it (Shift + Enter), then the check. A wrong guess costs nothing, and it is
# how the point sticks.
#
# <!-- hints: start_here.predict -->

# %% slideshow={"slide_type": "fragment"}
quiz("start_here.predict")

# %% nbgrader={"grade": false, "grade_id": "start_here-predict", "locked": false, "schema_version": 3, "solution": true, "task": false} slideshow={"slide_type": "skip"}
prediction = ...  # one letter in quotes, such as "a"
### BEGIN SOLUTION
prediction = "b"
### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "start_here-predict-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} slideshow={"slide_type": "skip"}
check("start_here.predict")

# %% [markdown] slideshow={"slide_type": "notes"} tags=["notes"]
# **Timing:** 2 minutes.
# **Ask:** the vote, by show of hands, before anybody runs it. (¼.)
# **Goes wrong:** ½ is the favourite: the value of σ, not its slope. Draw the tangent at 0.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Move it
#
# A slider is never decoration: it moves one symbol of a formula. Drag the logit and watch the tangent, the dashed line.
# With the keyboard: Tab to the slider, then the arrow keys.


# %% slideshow={"slide_type": "fragment"} jupyter={"source_hidden": true}
steep_at = torch.linspace(-8, 8, 200)
chart, ax = show.figure(width=7, height=3.4)
ax.plot(steep_at.tolist(), torch.sigmoid(steep_at).tolist(), color=show.REAL, label="σ(l)")
ax.plot([], [], "--", color=show.FAKE, label="tangent")
ax.set(xlabel="logit l", ylabel="probability", xlim=(-8.4, 8.4), ylim=(-0.05, 1.05), title=" ")
ax.legend(loc="upper left")


def draw_tangent(chart, logit):
    ax = chart.axes[0]
    height = torch.sigmoid(torch.tensor(logit)).item()
    slope = height * (1 - height)
    ax.plot([-8, 8], [height + slope * (x - logit) for x in (-8, 8)], "--", color=show.FAKE)
    ax.plot([logit], [height], "o", color=show.FAKE)
    ax.set_title(f"At l = {logit:.1f} the slope of σ is {slope:.3f}".replace("-", "−"))


show.explore(draw_tangent, "the logistic function and its slope at a logit you choose", chart, logit=(-8, 8, 0.1, 0.0))

# %% [markdown] slideshow={"slide_type": "fragment"}
# At 0 the slope is 0.250, its largest value; at ±8 it is nearly 0. Through a σ that is very sure hardly any gradient passes:
# a GAN can stop learning there, and lecture 02 measures it.

# %% [markdown] slideshow={"slide_type": "notes"} tags=["notes"]
# **Timing:** 1 minute.
# **Ask:** "At which logit is the slope a tenth of its largest?" (About ±3.6: drag there.)
# **Goes wrong:** the arrow keys change slides as long as the slider has no focus: click it once.

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


# %% nbgrader={"grade": false, "grade_id": "start_here-logistic", "locked": false, "schema_version": 3, "solution": true, "task": false} slideshow={"slide_type": "fragment"}
def logistic(logit):
    """The probability σ(l) = 1 / (1 + exp(-l)) of every logit."""
    ### BEGIN SOLUTION
    return torch.sigmoid(logit)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "start_here-logistic-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} slideshow={"slide_type": "fragment"}
logistic = check("start_here.logistic")
# stuck? hint("start_here.logistic") gives one hint more each time; solution("start_here.logistic") shows an answer

# %% [markdown] slideshow={"slide_type": "notes"} tags=["notes"]
# **Timing:** 2 minutes.
# **Ask:** "What does exp(800) give in float32?" (inf. And 1/(1 + inf) is 0, but its gradient is NaN.)
# **Goes wrong:** the formula as it stands: right values, a gradient that breaks. The next slide shows what the check says of it.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What a check tells you
#
# A check tries your function on fresh random inputs, the extremes, and one number. If it knows your mistake, it names it.
# Here are four wrong answers, and what it says:

# %% slideshow={"slide_type": "fragment"}
_ = check("start_here.logistic", lambda logit: 1 / (1 + torch.exp(-logit)))

# %% slideshow={"slide_type": "fragment"}
_ = check("start_here.logistic", lambda logit: torch.tanh(logit))

# %% [markdown] slideshow={"slide_type": "subslide"}
# Code that stops with an error is no drama either. The check says where, in your own lines:

# %% slideshow={"slide_type": "fragment"}
_ = check("start_here.logistic", lambda logit: logit[:, 0].sigmoid())

# %% slideshow={"slide_type": "fragment"}
_ = check("start_here.logistic", lambda logit: logit.sigmiod())

# %% [markdown] slideshow={"slide_type": "fragment"}
# The first has the right value at every logit. Its gradient breaks far out, and training with it: that is why the extremes are in.
# The check runs inside your own notebook and is for practice; graded work is run elsewhere, on inputs nobody has seen.

# %% [markdown] slideshow={"slide_type": "notes"} tags=["notes"]
# **Timing:** 1 minute.
# **Ask:** "Which of the four would you have noticed without the check?" (The last two. The first would have shown in a training, late.)
# **Goes wrong:** the check is taken for the grade. It is practice; grading runs elsewhere.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The map
#
# <!-- map -->
#
# Each lecture takes 45 to 60 minutes and runs in under two. Any order works; the numbers follow the slides.

# %% [markdown] slideshow={"slide_type": "notes"} tags=["notes"]
# **Timing:** ½ minute.
# **Ask:** "Which of these would you like first?" (Any order works.)
# **Goes wrong:** people open `solutions/` by mistake: the path is in the tab.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Good to know
#
# - **Run All** always works, solved or not: *Run → Run All Cells*. **Something odd?** *Kernel → Restart Kernel and Run All Cells*.
# - **A training can be stopped** with ■ (or the keys I, I). What it has learned is kept, and `log.resume()` goes on where it was.
# - **Compare with the solution**: the folder `solutions/` holds every notebook solved, with its outputs.
# - **Hand in** the notebook file itself (*File → Download*). Names of functions must stay; everything else may change.
# - **Present**: the same cells are slides. Click the title, then the button with the playing card in the toolbar; go on with Space,
#   the arrow keys, or a clicker. Sliders stay alive, code can be edited and run, Escape ends it.

# %% [markdown] slideshow={"slide_type": "notes"} tags=["notes"]
# **Timing:** ½ minute.
# **Ask:** "What will you do when a training looks hopeless?" (Stop it with ■, look, change something, run the cell again.)
# **Goes wrong:** *Restart* is forgotten after a cell was run out of order.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ## Your points so far

# %% slideshow={"slide_type": "fragment"}
score()
