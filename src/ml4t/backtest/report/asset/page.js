"use strict";
// The page's behaviour: draws charts when they come into view, fetches finer levels on zoom, sorts, filters and exports tables.
(async () => {
  const packed = Uint8Array.from(atob(document.getElementById("figures").textContent), (letter) => letter.charCodeAt(0));
  const plain = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  const figures = await new Response(plain).json();
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
      if (name in layout || name !== "yaxis2") result[name] = { ...axis, ...layout[name] };
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

  function unpacked(level) {
    if (!level.x) {
      const view = (text, get) => {
        const data = new DataView(bytes(text).buffer);
        return Float64Array.from({ length: data.byteLength / 4 }, (_, i) => data[get](4 * i, true));
      };
      level.x = view(level.seconds, "getUint32").map((seconds) => level.start + 1000 * seconds);
      level.y = view(level.values, "getFloat32");
    }
    return level;
  }

  const AT_ONCE = 6000; // points of a trace

  function refine(chart, spec) {
    // The finest level whose points in view are few enough; the whole overview when nothing is zoomed.
    const axis = chart._fullLayout.xaxis;
    const range = axis.range.map(axis.r2l);  // milliseconds
    spec.data.forEach((trace, index) => {
      const levels = trace.meta && trace.meta.levels;
      if (!levels) return;
      let shown = { x: trace.x, y: trace.y };
      for (const level of levels) {
        const { x, y } = unpacked(level);
        let a = x.findIndex((value) => value >= range[0]);
        let b = x.findIndex((value) => value > range[1]);
        a = Math.max(0, (a < 0 ? x.length : a) - 1);
        b = b < 0 ? x.length : b + 1;
        if (b - a <= AT_ONCE && b - a < x.length) shown = { x: x.slice(a, b), y: y.slice(a, b) };
      }
      chart.dataset.points = shown.x.length || trace.meta.points;
      Plotly.restyle(chart, { x: [shown.x], y: [shown.y] }, [index]);
    });
  }

  function draw(chart) {
    const spec = figures[chart.dataset.figure];
    if (drawn.has(chart)) return chart.ready;
    drawn.add(chart);
    const config = { responsive: true, displaylogo: false, scrollZoom: false, showSendToCloud: false, plotlyServerURL: "", modeBarButtonsToRemove: ["lasso2d", "select2d", "sendChartToCloud"] };
    chart.ready = Plotly.newPlot(chart, spec.data.map((trace) => ({ ...trace })), themed(spec.layout), config).then(() => {
      chart.dataset.state = "drawn";
      if (!spec.data.some((trace) => trace.meta && trace.meta.levels)) return;
      chart.on("plotly_relayout", (change) => {
        if (Object.keys(change).some((key) => key.startsWith("xaxis"))) refine(chart, spec);
      });
    });
    return chart.ready;
  }

  const charts = [...document.querySelectorAll(".chart")];
  const watcher = new IntersectionObserver((entries) => entries.forEach((e) => e.isIntersecting && draw(e.target)), { rootMargin: "1200px" });
  charts.forEach((chart) => watcher.observe(chart));
  addEventListener("beforeprint", () => charts.forEach((chart) => chart.offsetParent && draw(chart)));

  // ------------------------------------------------------------------------------------------------------------ theme
  const dark = matchMedia("(prefers-color-scheme: dark)");
  function wear(name) {
    root.dataset.theme = name;
    drawn.forEach((chart) => Plotly.relayout(chart, themed(chart.layout)));
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

  function jump(key) {
    const [place, first, last] = key.split("|").map(Number);
    if (symbols) symbols.value = place;
    const chart = candles[place];
    Promise.resolve(choose(place)).then(() => {
      const pad = Math.max((last - first) * 0.5, 10 * 864e5 / 24);
      const range = [first - pad, last + pad].map((value) => new Date(value).toISOString().slice(0, -1));
      Plotly.relayout(chart, { "xaxis.range": range, "yaxis.autorange": true });
      chart.scrollIntoView({ block: "center" });
    });
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
  root.dataset.ready = "yes";
})();
