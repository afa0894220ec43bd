// Controls over a picture that the kernel draws. One change is on its way at a time, and the last value always wins:
// ipywidgets holds back what comes meanwhile and then sends the newest.
const clamp = (value, low, high) => Math.min(high, Math.max(low, value));
const element = (tag, properties, ...children) => {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
};
// Lab and its slides listen to keys before a control can; told so, they leave the arrow keys to it
const keepKeys = (node) => node.setAttribute("data-lm-suppress-shortcuts", "true");

export default {
  render({ model, el }) {
    const set = (name, value) => {
      model.set("values", { ...model.get("values"), [name]: value });
      model.save_changes();
    };

    const rows = model.get("controls").map((control) => {
      const caption = element("span", { textContent: control.text });
      if (control.choices) {
        const options = control.choices.map((choice) => element("option", { value: choice, textContent: choice }));
        const menu = element("select", {}, ...options);
        const show = () => (menu.value = model.get("values")[control.name]);
        menu.addEventListener("change", () => set(control.name, menu.value));
        return { row: element("label", {}, caption, menu), input: menu, show };
      }
      const slider = element("input", { type: "range", min: control.low, max: control.high, step: control.step });
      const digits = (String(control.step).split(".")[1] ?? "").length;
      const number = element("output");
      const show = () => {
        const value = model.get("values")[control.name];
        slider.value = value;
        const text = value.toFixed(digits).replace("-", "−");
        number.textContent = control.unit ? `${text} ${control.unit}` : text;
        slider.setAttribute("aria-valuetext", number.textContent);
      };
      slider.addEventListener("input", () => set(control.name, Number(slider.value)));
      return { row: element("label", {}, caption, slider, number), input: slider, show };
    });

    const picture = element("img", { alt: model.get("label"), draggable: false, className: "explorer-picture" });
    const stage = element("div", { className: "explorer-stage" }, picture);
    const trouble = element("div", { className: "explorer-trouble", role: "alert" });

    let url = null;
    const paint = () => {
      const old = url;
      const [width, height] = model.get("size");
      stage.style.setProperty("--width", width);
      stage.style.setProperty("--ratio", width / height);
      url = URL.createObjectURL(new Blob([model.get("picture")], { type: "image/jpeg" }));
      picture.onload = () => old && URL.revokeObjectURL(old);
      picture.src = url;
    };

    const update = [() => (trouble.textContent = model.get("trouble")), ...rows.map((row) => row.show)];
    if (model.get("values").point) update.push(point());
    const show = () => update.forEach((one) => one());

    // the point: a dot over the picture, in the coordinates of the chart's first axes
    function point() {
      const dot = element("div", { className: "explorer-dot" });
      stage.append(dot);
      stage.tabIndex = 0;
      stage.classList.add("explorer-draggable");
      stage.setAttribute("role", "application");
      stage.setAttribute("aria-label", `${model.get("label")}. Drag the point, or move it with the arrow keys.`);
      keepKeys(stage);
      const move = (x, y) => {
        const [, , , , x0, x1, y0, y1] = model.get("place");
        set("point", [clamp(x, x0, x1), clamp(y, y0, y1)]);
        place();
      };
      const drag = (event) => {
        const [left, top, right, bottom, x0, x1, y0, y1] = model.get("place");
        const box = picture.getBoundingClientRect();
        const across = (event.clientX - box.left) / box.width;
        const down = (event.clientY - box.top) / box.height;
        move(x0 + ((across - left) / (right - left)) * (x1 - x0), y0 + ((bottom - down) / (bottom - top)) * (y1 - y0));
      };
      const place = () => {
        const [left, top, right, bottom, x0, x1, y0, y1] = model.get("place");
        const [x, y] = model.get("values").point;
        dot.style.left = `${100 * (left + ((x - x0) / (x1 - x0)) * (right - left))}%`;
        dot.style.top = `${100 * (bottom - ((y - y0) / (y1 - y0)) * (bottom - top))}%`;
      };
      stage.addEventListener("pointerdown", (event) => {
        stage.setPointerCapture(event.pointerId);
        stage.focus();
        drag(event);
        event.preventDefault();
      });
      stage.addEventListener("pointermove", (event) => event.buttons && drag(event));
      stage.addEventListener("keydown", (event) => {
        const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
        if (!step) return;
        const [, , , , x0, x1, y0, y1] = model.get("place");
        const [x, y] = model.get("values").point;
        move(x + (step[0] * (x1 - x0)) / 50, y + (step[1] * (y1 - y0)) / 50);
        event.preventDefault();
        event.stopPropagation();
      });
      return place;
    }

    rows.forEach(({ input }) => keepKeys(input));
    el.classList.add("explorer");
    el.append(element("div", { className: "explorer-controls" }, ...rows.map(({ row }) => row)), stage, trouble);
    model.on("change:picture", paint);
    model.on("change:values change:place change:trouble", show);
    paint();
    show();
    return () => {
      model.off("change:picture", paint);
      model.off("change:values change:place change:trouble", show);
      if (url) URL.revokeObjectURL(url);
    };
  },
};
