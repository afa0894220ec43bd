"""What a training's live picture costs: `python benchmarks/display.py`. Writes results/display.json.

The 1-D GAN of lecture 02, trained in JupyterLab with Chromium attached, all on this machine: with no picture, and with the live
picture at its default rate, in the order A B B A, so that a machine that gets slower favours neither.
"""

import json
import re
import statistics
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

import browser  # noqa: E402
from results import machine, store  # noqa: E402

RESULT = ROOT / "benchmarks" / "results" / "display.json"
ROUNDS = 6
CODE = f"""
import json, os, time
os.environ["COURSE_PRESET"] = "laptop"
from course_lib import adam, data, fit, nets
from course_lib.losses import adversarial
torch.set_num_threads(1)
bumps = data.Gaussians([[-1.5], [1.5]], 0.5, torch.tensor([0.3, 0.7]))
fixed = torch.randn(2000, 4)

def train(live):
    torch.manual_seed(0)
    G, D = nets.mlp(4, 64, 64, 1), nets.mlp(1, 64, 64, 1)
    for_G, for_D = (adam(net.parameters(), 2e-3, betas=(0.0, 0.9)) for net in (G, D))
    drawn = []
    def step(real):
        fake = G(torch.randn(256, 4))
        loss_D = adversarial.discriminator(D(real), D(fake.detach()))
        for_D.zero_grad(); loss_D.backward(); for_D.step()
        loss_G = adversarial.nonsaturating(D(fake))
        for_G.zero_grad(); loss_G.backward(); for_G.step()
        return {{"D": loss_D, "G": loss_G}}
    def watch():
        drawn.append(0)
        chart, ax = show.figure(width=7, height=3.4)
        with torch.no_grad():
            ax.hist(G(fixed).squeeze(-1).tolist(), bins=60, range=(-4, 4), color=show.FAKE)
        ax.set(xlabel="x", ylabel="samples", title="q while G learns")
        return chart
    began = time.perf_counter()
    fit(step, bumps.batches(256), 4000, watch=watch if live else None)
    return time.perf_counter() - began, len(drawn)

train(True), train(False)
runs = [(live, *train(live)) for _ in range({ROUNDS}) for live in (False, True, True, False)]
print("RUNS" + json.dumps(runs) + "END")
"""


def main() -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        browser.lab(Path(folder), COURSE_PRESET="smoke", COURSE_HEADLESS="0") as where,
        browser.browser(1280, 900) as page,
    ):
        browser.open_and_run(page, where, "lectures/00_start_here.ipynb")
        browser.type_cell(page, CODE)
        browser.last_output(page).locator("text=RUNS").wait_for(timeout=1_200_000)
        runs = json.loads(re.search(r"RUNS(.*)END", browser.last_output(page).inner_text().replace("\n", ""))[1])
    pairs = [(runs[i : i + 4]) for i in range(0, len(runs), 4)]
    costs = [sum(t for live, t, _ in four if live) / sum(t for live, t, _ in four if not live) - 1 for four in pairs]
    found = {
        "cost in percent, median of rounds": round(100 * statistics.median(costs), 1),
        "cost in percent, every round": [round(100 * c, 1) for c in costs],
        "seconds without, median": round(statistics.median(t for live, t, _ in runs if not live), 2),
        "seconds with, median": round(statistics.median(t for live, t, _ in runs if live), 2),
        "pictures a second": round(statistics.median(n / t for live, t, n in runs if live), 1),
    }
    print(found, file=sys.stderr)
    store(RESULT, "python benchmarks/display.py", found, machine())


if __name__ == "__main__":
    main()
