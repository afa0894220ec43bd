"""How quickly widgets answer in JupyterLab: `python benchmarks/widgets.py`. Writes results/widgets.json.

Chromium, server, and kernel share this machine. A single move is timed from the control's event to the frame after the new
picture has been decoded; a drag moves every 16 ms for three seconds and counts the pictures. Events are made in the page, so
that no driver's pauses are measured.
"""

import statistics
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

import browser  # noqa: E402
from results import machine, store  # noqa: E402

RESULT = ROOT / "benchmarks" / "results" / "widgets.json"
WIDGETS = {  # what to drive: lecture, a word of the widget's label, and by what
    "V(D, G), slider": ("02_gan_objective", "both generator gradients", "slider"),
    "vector field, mouse": ("03_saddle_point", "two players", "mouse"),
    "vector field, keyboard": ("03_saddle_point", "two players", "keyboard"),
    "latent plane and decoder, mouse": ("12_elbo_vae", "latent plane", "mouse"),
}
MEASURE = """
async ([word, kind]) => {
    const picture = [...document.querySelectorAll('.jp-NotebookPanel .explorer-picture')].find((img) => img.alt.includes(word));
    const explorer = picture.closest('.explorer'), stage = picture.parentElement, slider = explorer.querySelector('input');
    stage.scrollIntoView({ block: 'center' });
    const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
    const frame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
    let pictures = 0, wake = () => {};
    picture.addEventListener('load', () => { pictures += 1; wake(); });
    let turn = 0;
    const move = () => {
        turn += 1;
        if (kind === 'slider') {
            const [low, high] = [Number(slider.min), Number(slider.max)];
            slider.value = low + (high - low) * (0.1 + 0.8 * Math.abs(((turn / 20) % 2) - 1));  // to and fro, never the same twice
            slider.dispatchEvent(new Event('input', { bubbles: true }));
        } else if (kind === 'mouse') {
            const box = picture.getBoundingClientRect();
            const across = 0.25 + 0.1 * Math.sin(turn / 7), down = 0.5 + 0.2 * Math.cos(turn / 9);
            const where = { clientX: box.left + box.width * across, clientY: box.top + box.height * down };
            stage.dispatchEvent(new PointerEvent('pointermove', { ...where, buttons: 1, bubbles: true }));
        } else {
            const key = ['ArrowLeft', 'ArrowUp', 'ArrowRight', 'ArrowDown'][Math.floor(turn / 5) % 4];
            stage.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }));
        }
    };
    await sleep(1000);
    const single = [];
    for (let i = 0; i < 45; i++) {
        const began = performance.now(), arrived = new Promise((done) => (wake = done));
        move();
        await Promise.race([arrived, sleep(2000)]);
        await frame();
        if (i >= 5) single.push(performance.now() - began);
        await sleep(120);
    }
    wake = () => {};
    pictures = 0;
    const began = performance.now();
    while (performance.now() - began < 3000) { move(); await sleep(16); }
    const rate = pictures / ((performance.now() - began) / 1000), released = performance.now();
    let last = released, seen = pictures;  // no queue of stale frames: how long pictures still come after the last move
    while (performance.now() - released < 1000) {
        await sleep(5);
        if (pictures !== seen) { seen = pictures; last = performance.now(); }
    }
    return { single, rate, lag: last - released };
}
"""


def main() -> None:
    found = {}
    with (
        tempfile.TemporaryDirectory() as folder,
        browser.lab(Path(folder), COURSE_PRESET="smoke", COURSE_HEADLESS="0") as where,
    ):
        for name, (lecture, word, kind) in WIDGETS.items():
            with browser.browser(1280, 900) as page:  # a page each: nothing of one widget slows another
                browser.open_notebook(page, *where, f"lectures/{lecture}.ipynb")
                browser.run_all(page, timeout=300)
                page.wait_for_timeout(2000)
                measured = page.evaluate(MEASURE, [word, kind])
            single = sorted(measured["single"])
            found[name] = {
                "median ms": round(statistics.median(single)),
                "p95 ms": round(single[int(0.95 * len(single))]),
                "pictures a second while dragging": round(measured["rate"], 1),
                "ms until the last picture after release": round(measured["lag"]),
            }
            print(name, found[name], file=sys.stderr, flush=True)
    store(RESULT, "python benchmarks/widgets.py", {"widgets": found}, machine())


if __name__ == "__main__":
    main()
