// Draws what there is to explore: a line for each trial over its axes, and the importances; the
// slider goes through the densities. Words come from the files of a study: they are set as text.
{
  const data = JSON.parse(document.getElementById("explore-data").textContent);
  const { BoxAnnotation, ColumnDataSource, HoverTool, Range1d } = Bokeh;
  const part = (name) => document.getElementById(`explore-${name}`);
  const fixed = (value) => ({ value }), of = (field) => ({ field });
  const MISSING = -0.1, BESIDE = 0.3, NEAR = 12;  // Of an axis; of a row; in pixels.
  const slider = part("density");
  const brushes = data.axes.map(() => null);
  let level = data.start;

  const text = (...lines) => {
    const box = document.createElement("div");
    box.style.maxWidth = "18rem";
    for (const line of lines.filter(Boolean)) {
      box.append(Object.assign(document.createElement("div"), { textContent: line }));
    }
    return box;
  };

  // A plot of named rows, the first one on top.
  const rowed = (names, height, start, end) => Bokeh.Plotting.figure({
    height: height * names.length + 24, sizing_mode: "stretch_width", min_border: 4,
    x_range: new Range1d({ start, end }), outline_line_color: null,
    y_range: new Range1d({ start: names.length - 0.5, end: -0.75 }),
    x_axis_type: null, y_axis_type: null, tools: [], toolbar_location: null,
  });
  const written = (plot, source, look) => plot.text({
    x: of("x"), y: of("y"), text: of("text"), source, level: "annotation",
    text_color: fixed("#1a1a1a"), text_font_size: fixed("12px"), text_font: fixed("sans-serif"),
    background_fill_color: fixed("#ffffff"), background_fill_alpha: fixed(0.85), ...look,
  });
  const named = (plot, names, x) => {
    const place = { x: names.map(() => x), y: names.map((_, i) => i), text: names };
    written(plot, new ColumnDataSource({ data: place }), {
      y_offset: fixed(-9), text_baseline: fixed("bottom"), text_font_style: fixed("bold"),
    });
  };

  // The trials.
  const values = (trial) => trial.at.map((at) => (Array.isArray(at) ? at[level] : at) ?? MISSING);
  const names = data.axes.map((axis) => axis.name);
  const plot = rowed(names, 62, MISSING - 0.05, 1.06);
  const sources = {};
  for (const name of ["lines", "over", "marks", "ticks"]) sources[name] = new ColumnDataSource();
  sources.lines.data = { xs: [], ys: [], ink: [], alpha: [] };
  sources.over.data = { xs: [], ys: [] };
  sources.marks.data = { x: [], y: [], ink: [], marker: [] };
  sources.ticks.data = { x: [], y: [], text: [], align: [] };
  const rows = names.map((_, i) => i);
  const ends = { x0: rows.map(() => 0), x1: rows.map(() => 1), y: rows };
  plot.segment({
    x0: of("x0"), x1: of("x1"), y0: of("y"), y1: of("y"), line_color: fixed("#444444"),
    source: new ColumnDataSource({ data: ends }),
  });
  plot.multi_line({
    xs: of("xs"), ys: of("ys"), line_color: of("ink"), line_alpha: of("alpha"),
    line_width: fixed(1.3), source: sources.lines,
  });
  plot.multi_line({
    xs: of("xs"), ys: of("ys"), line_color: fixed("#d55e00"), line_width: fixed(3),
    source: sources.over,
  });
  const marks = plot.scatter({
    x: of("x"), y: of("y"), marker: of("marker"), size: fixed(7), line_color: of("ink"),
    fill_color: of("ink"), fill_alpha: fixed(0.7), source: sources.marks,
  });
  const boxes = rows.map((i) => new BoxAnnotation({
    top: i - BESIDE, bottom: i + BESIDE, left: 0, right: 0, visible: false,
    fill_color: "#0072b2", fill_alpha: 0.18, line_color: "#0072b2",
  }));
  boxes.forEach((box) => plot.add_layout(box));
  written(plot, sources.ticks, { y_offset: fixed(5), text_baseline: fixed("top"),
    text_align: of("align"), text_font_size: fixed("11px") });
  named(plot, names, 0);

  // At an end of its axis a long label would leave the picture; left of it is room for a number.
  const isWord = (label) => Number.isNaN(Number(label));
  const alignOf = ([, x, label]) =>
    (x === 1 ? "right" : x === 0 && isWord(label) ? "left" : "center");
  let shown = [];  // The trial of each mark.
  let pointed = null;
  const told = (trial) => text(
    `trial ${trial.number}, ${trial.phase}`, trial.settings,
    `test accuracy ${trial.accuracy[level]} at ${data.densities[level]}, n = ${trial.n[level]}`,
    `${trial.gain[level]} points over its dense network`,
    `lowest density within the margin: ${trial.lowest}`,
    trial.diverged ? `networks that diverged: ${trial.diverged}` : "",
  );
  plot.add_tools(new HoverTool({
    renderers: [marks], limit: 1, tooltips: (_, { index }) => told(shown[index]),
  }));
  sources.marks.inspect.connect(() => {
    const trial = shown[sources.marks.inspected.indices[0]] ?? null;
    if (trial === pointed) return;
    pointed = trial;
    sources.over.data = trial ? { xs: [values(trial)], ys: [rows] } : { xs: [], ys: [] };
  });

  const drawTrials = () => {
    const places = new Map(data.trials.map((trial) => [trial, values(trial)]));
    const placed = (trial) => places.get(trial);
    const kept = [], rest = [];
    for (const [trial, at] of places) {
      const is = at.every((x, i) => !brushes[i] || (brushes[i][0] <= x && x <= brushes[i][1]));
      (is ? kept : rest).push(trial);
    }
    const all = [...rest, ...kept], last = data.inks.length - 1;
    const ink = (trial) => {
      const at = placed(trial)[0];
      return at < 0 ? "#666666" : data.inks[Math.round(at * last)];
    };
    // Many lines would hide each other.
    const pale = Math.min(0.7, Math.max(0.2, 25 / kept.length));
    sources.lines.data = {
      xs: all.map(placed), ys: all.map(() => rows), ink: all.map(ink),
      alpha: all.map((_, i) => (i < rest.length ? 0.05 : pale)),
    };
    shown = kept.flatMap((trial) => rows.map(() => trial));
    sources.marks.data = {
      x: kept.flatMap(placed), y: kept.flatMap(() => rows), ink: shown.map(ink),
      marker: shown.map((trial) => (trial.diverged ? "x" : "circle")),
    };
    sources.over.data = { xs: [], ys: [] };
    pointed = null;
    const lacks = (i) => data.trials.some((trial) => placed(trial)[i] === MISSING);
    const ticks = data.axes.flatMap((axis, i) => [
      ...(axis.moves ? axis.ticks[level] : axis.ticks), ...(lacks(i) ? [[MISSING, "none"]] : []),
    ].map((tick) => [i, ...tick]));
    sources.ticks.data = {
      x: ticks.map(([, x]) => x), y: ticks.map(([i]) => i), text: ticks.map(([, , label]) => label),
      align: ticks.map(alignOf),
    };
    boxes.forEach((box, i) => {
      box.visible = brushes[i] !== null;
      if (brushes[i]) [box.left, box.right] = brushes[i];
    });
    part("kept").textContent = `${kept.length} of ${data.trials.length} trials`;
  };

  let from = null;
  const rowAt = (y) => Math.min(rows.length - 1, Math.max(0, Math.round(y)));
  plot.on_event("panstart", ({ x, y }) => { from = { x, row: rowAt(y) }; });
  const narrow = ({ x }) => {
    if (!from) return;
    brushes[from.row] = [Math.min(from.x, x), Math.max(from.x, x)];
    drawTrials();
  };
  plot.on_event("pan", narrow);
  plot.on_event("panend", (event) => { narrow(event); from = null; });
  const openRow = (number) => {
    const row = document.getElementById(`trial-${number}`);
    if (!row) return;
    row.hidden = false;  // The table's filter may have hidden it.
    location.hash = row.id;
    row.scrollIntoView({ block: "center" });
  };
  plot.on_event("tap", ({ x, y }) => {
    const row = rowAt(y), scale = part("lines").clientWidth / (plot.x_range.end - plot.x_range.start);
    const far = (trial) => Math.abs(values(trial)[row] - x) * scale;
    const [nearest] = [...new Set(shown)].sort((a, b) => far(a) - far(b));
    if (nearest && Math.abs(y - row) < BESIDE && far(nearest) < NEAR) openRow(nearest.number);
    else { brushes[row] = null; drawTrials(); }
  });
  part("all").addEventListener("click", () => { brushes.fill(null); drawTrials(); });

  // The importances.
  let drawShares = () => {};
  const plots = [[plot, "lines"]];
  if (data.shares) {
    const { factors, levels } = data.shares;
    const lower = rowed(factors, 46, -0.03, 1.06);
    const foot = factors.length - 0.5, shares = [0, 0.25, 0.5, 0.75, 1];
    lower.y_range.start = foot + 0.35;  // Room for what stands below the last row.
    const scale = new ColumnDataSource({ data: {
      x: shares, y: shares.map(() => foot), top: shares.map(() => -0.5), text: shares.map(String),
    } });
    lower.segment({ x0: of("x"), x1: of("x"), y0: of("y"), y1: of("top"),
      line_color: fixed("#dddddd"), source: scale });
    written(lower, scale, { y_offset: fixed(3), text_baseline: fixed("top"),
      text_align: fixed("center"), text_font_size: fixed("11px") });
    const bars = new ColumnDataSource();
    drawShares = () => {
      const { bars: found, text: said } = levels[level];
      const column = (i) => factors.map((_, row) => found?.[row][i] ?? NaN);
      bars.data = { y: factors.map((_, i) => i), up: factors.map((_, i) => i - 0.06),
        down: factors.map((_, i) => i + 0.06), first: column(0), first_low: column(1),
        first_high: column(2), total: column(3), total_low: column(4), total_high: column(5) };
      part("said").textContent = said;
    };
    drawShares();
    const zero = fixed(0), ink = "#0072b2";
    const pale = lower.hbar({ y: of("y"), left: zero, right: of("total"), height: fixed(0.36),
      fill_color: fixed("#9cc9e6"), line_color: fixed(ink), source: bars });
    lower.hbar({ y: of("y"), left: zero, right: of("first"), height: fixed(0.18),
      fill_color: fixed(ink), line_color: fixed(ink), source: bars });
    for (const [name, y, colour] of [["total", "up", "#444444"], ["first", "down", "#000000"]]) {
      lower.segment({ x0: of(`${name}_low`), x1: of(`${name}_high`), y0: of(y), y1: of(y),
        line_color: fixed(colour), line_width: fixed(1.5), source: bars });
    }
    named(lower, factors, 0);
    lower.add_tools(new HoverTool({
      renderers: [pale], limit: 1, tooltips: (_, { index }) => {
        const [first, total] = levels[level].told[index];
        return text(factors[index], `S1 ${first}`, `ST ${total}`, levels[level].text);
      },
    }));
    plots.push([lower, "shares"]);
  }

  const draw = () => {
    part("at").textContent = data.densities[level];
    drawTrials();
    drawShares();
  };
  slider.addEventListener("input", () => { level = Number(slider.value); draw(); });
  document.getElementById("explore").hidden = false;
  part("still").classList.add("paper");
  draw();
  for (const [one, name] of plots) {
    Bokeh.Plotting.show(one, part(name)).then((view) => {
      // A finger that moves up or down scrolls the page, across it narrows an axis.
      view.canvas_view.events_el.style.touchAction = "pan-y";
    });
  }
}
