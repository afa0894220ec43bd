// A PNG with a point that mouse, finger, or arrow keys move in the coordinates of the chart's first axes.
export default {
  render({ model, el }) {
    const box = document.createElement("div");
    const img = document.createElement("img");
    const dot = document.createElement("div");
    box.style.cssText = "position:relative;display:inline-block;touch-action:none;cursor:crosshair";
    dot.style.cssText =
      "position:absolute;width:20px;height:20px;margin:-10px 0 0 -10px;border-radius:50%;" +
      "border:3px solid #D55E00;background:#ffffffcc;box-sizing:border-box;pointer-events:none";
    box.tabIndex = 0;
    box.setAttribute("role", "application");
    box.setAttribute("aria-label", model.get("label") + ". Drag the point, or move it with the arrow keys.");
    img.alt = model.get("label");
    img.draggable = false;
    img.style.maxWidth = "100%";
    box.append(img, dot);
    el.append(box);

    let url = null;
    const paint = () => {
      const old = url;
      url = URL.createObjectURL(new Blob([model.get("png")], { type: "image/png" }));
      img.onload = () => old && URL.revokeObjectURL(old);
      img.src = url;
    };
    // the axes inside the picture (shares of its size), their limits, and the point
    const geometry = () => {
      const [left, top, right, bottom] = model.get("frame");
      const [x0, x1, y0, y1] = model.get("limits");
      const [x, y] = model.get("point");
      return { left, top, right, bottom, x0, x1, y0, y1, x, y };
    };
    const place = () => {
      const g = geometry();
      dot.style.left = 100 * (g.left + ((g.x - g.x0) / (g.x1 - g.x0)) * (g.right - g.left)) + "%";
      dot.style.top = 100 * (g.bottom - ((g.y - g.y0) / (g.y1 - g.y0)) * (g.bottom - g.top)) + "%";
    };
    const send = (x, y) => {
      const g = geometry();
      const clamp = (v, low, high) => Math.min(high, Math.max(low, v));
      model.set("point", [clamp(x, g.x0, g.x1), clamp(y, g.y0, g.y1)]);
      model.save_changes();
    };
    const move = (event) => {
      const g = geometry();
      const size = img.getBoundingClientRect();
      const right = (event.clientX - size.left) / size.width;
      const down = (event.clientY - size.top) / size.height;
      send(
        g.x0 + ((right - g.left) / (g.right - g.left)) * (g.x1 - g.x0),
        g.y0 + ((g.bottom - down) / (g.bottom - g.top)) * (g.y1 - g.y0),
      );
    };
    box.addEventListener("pointerdown", (event) => {
      box.setPointerCapture(event.pointerId);
      box.focus();
      move(event);
      event.preventDefault();
    });
    box.addEventListener("pointermove", (event) => event.buttons && move(event));
    box.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
      if (!step) return;
      const g = geometry();
      send(g.x + (step[0] * (g.x1 - g.x0)) / 50, g.y + (step[1] * (g.y1 - g.y0)) / 50);
      event.preventDefault();
      event.stopPropagation();
    });
    model.on("change:png", paint);
    model.on("change:point change:limits change:frame", place);
    paint();
    place();
    return () => url && URL.revokeObjectURL(url);
  },
};
