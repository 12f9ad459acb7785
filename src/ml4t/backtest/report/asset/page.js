"use strict";
// The page's behaviour: draws charts when they come into view, takes finer levels on zoom, sorts, filters and exports tables.
(() => {
  const root = document.documentElement;
  const drawn = new Set();

  function theme() {
    const style = getComputedStyle(root);
    const read = (name) => style.getPropertyValue(name).trim();
    const axis = { gridcolor: read("--line"), linecolor: read("--line"), zerolinecolor: read("--muted"), automargin: true };
    return { axis, fg: read("--fg"), bg: read("--bg") };
  }

  function themed(layout) {
    const { axis, fg, bg } = theme();
    const result = { ...layout, paper_bgcolor: bg, plot_bgcolor: bg, font: { color: fg, size: 12 } };
    for (const name of ["xaxis", "yaxis", "yaxis2"]) {
      if (name in layout || name !== "yaxis2") result[name] = { ...layout[name], ...axis };
    }
    result.hoverlabel = { bgcolor: bg, font: { color: fg } };
    return result;
  }

  // ------------------------------------------------------------------------------------------------- levels of detail
  function bytes(text) {
    const raw = atob(text);
    const out = new Uint8Array(raw.length);
    for (let i = 0; i < raw.length; i++) out[i] = raw.charCodeAt(i);
    return out;
  }

  function figure(name) {
    const packed = bytes(document.getElementById("figure-" + name).textContent);
    return new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"))).json();
  }

  function numbers(text, get) {
    const data = new DataView(bytes(text).buffer);
    return Float64Array.from({ length: data.byteLength / 4 }, (_, i) => data[get](4 * i, true));
  }

  function unpacked(level) {
    if (!level.x) {
      let count = 0;
      level.x = numbers(level.steps, "getUint32").map((step) => level.start + level.unit * (count += step));
      level.columns = Object.fromEntries(Object.entries(level.values).map(([name, text]) => [name, numbers(text, "getFloat32")]));
    }
    return level;
  }

  function place(x, value) { // how many of x are below the value
    let [low, high] = [0, x.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (x[middle] < value) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  const AT_ONCE = { scatter: 6000, candlestick: 1600 }; // points of a trace

  // The part of the finest level that has few enough points in view and no hole there; null: the overview.
  function detail(trace, [from, to]) {
    for (const level of [...trace.meta.levels].reverse()) {
      const { x, columns, spans } = unpacked(level);
      for (const [first, last] of spans) {
        const begin = trace.meta.first >= from || x[first] <= from;
        const end = trace.meta.last <= to || x[last - 1] >= to;
        if (!begin || !end) continue;
        const a = Math.max(first, place(x, from) - 1);
        const b = Math.min(last, place(x, to) + 1);
        if (b - a > AT_ONCE[trace.type] || b - a < 2) continue;
        const cut = Object.entries(columns).map(([name, values]) => [name, values.slice(a, b)]);
        return { x: x.slice(a, b), ...Object.fromEntries(cut), name: level.name ?? trace.name };
      }
    }
    return null;
  }

  // Prices fill the height of the chart, whatever of them is in view.
  function height({ x, low, high }, axis, [from, to]) {
    const times = Array.from(x, (value) => axis.d2l(value));
    const [a, b] = [place(times, from), place(times, to)];
    if (a === b) return {};
    const [bottom, top] = [Math.min(...low.slice(a, b)), Math.max(...high.slice(a, b))];
    const pad = (top - bottom || Math.abs(top) || 1) * 0.06;
    return { "yaxis.range": [bottom - pad, top + pad] };
  }

  function zoomed(chart, spec, change) {
    const changed = (pattern) => Object.keys(change).some((key) => pattern.test(key));
    if (!changed(/^xaxis\.(range|autorange)/)) return;
    const whole = change["xaxis.autorange"];
    const axis = chart._fullLayout.xaxis;
    const range = axis.range.map(axis.r2l); // milliseconds
    const indices = [...spec.data.keys()].filter((index) => spec.data[index].meta?.levels);
    const parts = indices.map((index) => (!whole && detail(spec.data[index], range)) || spec.data[index]);
    const names = indices.length ? ["x", "name", ...Object.keys(spec.data[indices[0]].meta.levels[0].values)] : [];
    const data = Object.fromEntries(names.map((name) => [name, parts.map((part) => part[name])]));
    // New data would let Plotly guess the kind of axis again, and forget what is in view.
    const layout = { "xaxis.type": "date", ...(whole ? { "xaxis.autorange": true } : { "xaxis.range": [...axis.range] }) };
    if (spec.data[0].type === "candlestick" && !changed(/^yaxis\./)) {
      const fine = parts.length && parts[0] !== spec.data[0];
      Object.assign(layout, whole ? { "yaxis.autorange": true } : height(fine ? parts[0] : chart.overview, axis, range));
    }
    Plotly.update(chart, data, layout, indices);
  }

  async function drawing(chart) {
    const spec = await figure(chart.dataset.figure);
    const config = { responsive: true, displaylogo: false, scrollZoom: false, showSendToCloud: false, plotlyServerURL: "", modeBarButtonsToRemove: ["lasso2d", "select2d", "sendChartToCloud"] };
    await Plotly.newPlot(chart, spec.data.map((trace) => ({ ...trace })), themed(spec.layout), config);
    for (const trace of spec.data) {
      if (trace.meta?.levels) [trace.meta.first, trace.meta.last] = ends(unpacked(trace.meta.levels[0]).x);
    }
    chart.spec = spec;
    chart.overview = chart._fullData[0];
    chart.on("plotly_relayout", (change) => zoomed(chart, spec, change));
    chart.dataset.state = "drawn";
  }

  const ends = (x) => [x[0], x[x.length - 1]];

  // One chart after the other, so that the page answers between them.
  let queue = Promise.resolve();
  function draw(chart) {
    if (!drawn.has(chart)) {
      drawn.add(chart);
      chart.ready = queue.then(() => drawing(chart));
      queue = chart.ready.catch(() => {}).then(() => new Promise((next) => setTimeout(next)));
    }
    return chart.ready;
  }

  const charts = [...document.querySelectorAll(".chart")];
  const watcher = new IntersectionObserver((entries) => entries.forEach((e) => e.isIntersecting && draw(e.target)), { rootMargin: "600px" });
  charts.forEach((chart) => watcher.observe(chart));

  // ------------------------------------------------------------------------------------------------------------ theme
  const dark = matchMedia("(prefers-color-scheme: dark)");
  function wear(name) {
    root.dataset.theme = name;
    for (const chart of drawn) if (chart.dataset.state === "drawn") Plotly.relayout(chart, themed(chart.layout));
  }
  root.dataset.theme = dark.matches ? "dark" : "light";
  dark.addEventListener("change", (event) => wear(event.matches ? "dark" : "light"));
  document.getElementById("theme").addEventListener("click", () => wear(root.dataset.theme === "dark" ? "light" : "dark"));

  // ----------------------------------------------------------------------------------------------------------- charts
  const candles = charts.filter((chart) => chart.dataset.figure.startsWith("bars-"));
  const names = candles.map((chart) => chart.parentElement.querySelector("figcaption").textContent);
  function choose(place) {
    candles.forEach((chart, index) => (chart.parentElement.hidden = index !== place));
    return draw(candles[place]);
  }
  let symbols = null;
  if (candles.length > 1) {
    const label = document.createElement("label");
    label.className = "tools";
    label.append("Chart");
    symbols = document.createElement("select");
    symbols.id = "symbols";
    names.forEach((name, index) => symbols.add(new Option(name.replace(/^Candlesticks of (.*) with fills, stops and trades\.$/, "$1"), index)));
    symbols.addEventListener("change", () => choose(+symbols.value));
    label.append(symbols);
    candles[0].parentElement.before(label);
    candles.forEach((chart, index) => (chart.parentElement.hidden = index > 0));
  }

  // A trade and what is around it: half of its length or 25 bars, and no further than there are single bars.
  function around(trace, first, last) {
    const pad = Math.max((last - first) / 2, 25 * trace.meta.step);
    const { x, spans } = trace.meta.levels ? unpacked(trace.meta.levels.at(-1)) : { x: [], spans: [] };
    const [a, b] = spans.map(([from, to]) => [x[from], x[to - 1]]).find(([from, to]) => from <= first && to >= last) ?? [-Infinity, Infinity];
    return [Math.max(first - pad, a), Math.min(last + pad, b)];
  }

  async function jump(key) {
    const [place, first, last] = key.split("|").map(Number);
    if (symbols) symbols.value = place;
    const chart = candles[place];
    await choose(place);
    const range = around(chart.spec.data[0], first, last).map((value) => new Date(value).toISOString().slice(0, -1));
    await Plotly.relayout(chart, { "xaxis.range": range });
    chart.scrollIntoView({ block: "center" });
  }

  // ----------------------------------------------------------------------------------------------------------- tables
  const value = (row, column) => {
    const cell = row.cells[column];
    const text = cell.dataset.v ?? cell.textContent;
    return row.parentElement.parentElement.classList.contains("r" + (column + 1)) ? (text === "–" ? -Infinity : +text) : text;
  };

  function sort(table, column, head) {
    const down = head.getAttribute("aria-sort") === "ascending";
    table.querySelectorAll("th[aria-sort]").forEach((other) => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const text = new Intl.Collator("en", { numeric: true });
    const rows = [...table.tBodies[0].rows];
    rows.sort((a, b) => {
      const [x, y] = [value(a, column), value(b, column)];
      const order = typeof x === "number" && typeof y === "number" ? x - y : text.compare(String(x), String(y));
      return down ? -order : order;
    });
    table.tBodies[0].append(...rows);
  }

  // What a spreadsheet would take for a formula gets an apostrophe before it; numbers stay numbers.
  const safe = (text) => (/^[=+\-@\t\r]/.test(text) && !/^[+-]?[\d.]+(e[+-]?\d+)?$/i.test(text) ? "'" + text : text);
  const quoted = (text) => '"' + safe(text).replaceAll('"', '""') + '"';

  function csv(table) {
    const rows = [...table.rows].filter((row) => !row.hidden);
    return rows.map((row) => [...row.cells].map((cell) => quoted(cell.dataset.v ?? cell.textContent)).join(",")).join("\r\n") + "\r\n";
  }
  window.tableAsCsv = (name) => csv(document.getElementById(name));

  function save(table) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([csv(table)], { type: "text/csv" }));
    link.download = table.id + ".csv";
    link.click();
    URL.revokeObjectURL(link.href);
  }

  for (const table of document.querySelectorAll("table.live")) {
    const count = table.tBodies[0].rows.length;
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent;
      button.addEventListener("click", () => sort(table, column, head));
      head.replaceChildren(button);
    });
    for (const row of table.tBodies[0].rows) {
      if (!row.dataset.key) continue;
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = row.cells[0].textContent;
      button.title = "Show in the chart";
      button.addEventListener("click", () => jump(row.dataset.key));
      row.cells[0].replaceChildren(button);
    }
    const tools = document.createElement("div");
    tools.className = "tools";
    if (count > 8) {
      const filter = document.createElement("input");
      filter.type = "search";
      filter.placeholder = "Filter rows";
      filter.setAttribute("aria-label", "Filter: " + table.caption.textContent);
      filter.addEventListener("input", () => {
        const wanted = filter.value.toLowerCase();
        for (const row of table.tBodies[0].rows) row.hidden = !row.textContent.toLowerCase().includes(wanted);
      });
      tools.append(filter);
    }
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "CSV";
    button.setAttribute("aria-label", "Save as CSV: " + table.caption.textContent);
    button.addEventListener("click", () => save(table));
    tools.append(button);
    table.parentElement.before(tools);
  }
  // ------------------------------------------------------------------------------------------------------------ paper
  // Paper is white and has a width of its own; what nobody has scrolled to is drawn when there is time, so that it prints.
  const PAPER = 960; // px that fit on A4 and Letter, landscape
  const lower = (height) => (height > 250 ? 0.75 * height : height);
  const visible = () => charts.filter((chart) => chart.offsetParent && chart.dataset.state === "drawn");
  let worn = null;
  addEventListener("beforeprint", () => {
    worn = root.dataset.theme;
    root.dataset.theme = "light";
    for (const chart of visible()) Plotly.relayout(chart, { ...themed(chart.layout), width: PAPER, height: lower(chart.spec.layout.height) });
  });
  addEventListener("afterprint", () => {
    root.dataset.theme = worn;
    for (const chart of visible()) Plotly.relayout(chart, { ...themed(chart.layout), width: null, height: chart.spec.layout.height, autosize: true });
  });
  const idle = globalThis.requestIdleCallback ?? ((call) => setTimeout(call, 200));
  async function rest() {
    const next = charts.find((chart) => chart.offsetParent && !drawn.has(chart));
    if (next) await draw(next);
    if (next) idle(rest);
    else root.dataset.complete = "yes";
  }
  addEventListener("load", () => setTimeout(() => idle(rest), 500));

  root.dataset.ready = "yes";
})();
