"""The report in a real Chromium without network: it opens without an error, and zoom, sort, filter, jump and export work.

Needs Debian's `chromium` (`.ci/run` installs it and sets ML4T_BROWSER=required); without a browser these tests are skipped.
"""

import os
import shutil
import sys
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import reported
from ml4t.backtest.report import Subject, write_report

CHROMIUM = next((path for path in map(shutil.which, ("chromium", "chromium-browser", "google-chrome")) if path), None)
if CHROMIUM is None and os.environ.get("ML4T_BROWSER") != "required":
    pytest.skip("no chromium on this machine: apt-get install chromium", allow_module_level=True)

from axe_playwright_python.sync_playwright import Axe  # noqa: E402
from playwright.sync_api import Browser, Page, sync_playwright  # noqa: E402

DRAWN = "[data-figure=equity][data-state=drawn]"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as player:
        running = player.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pages")


def page_of(name: str, folder: Path) -> Path:
    path = folder / f"{name}.html"
    return path if path.exists() else write_report(Subject.of_result(getattr(reported, name)()), path)


def opened(browser: Browser, path: Path, scheme: str = "light") -> tuple[Page, list[str]]:
    """The page without network, and what it complained of or asked for."""
    context = browser.new_context(offline=True, color_scheme=scheme, viewport={"width": 1280, "height": 900})
    page, heard = context.new_page(), []
    page.on("console", lambda message: heard.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: heard.append(f"error: {error}"))
    page.on(
        "request",
        lambda request: heard.append(request.url) if not request.url.startswith(("file:", "blob:", "data:")) else None,
    )
    page.goto(path.as_uri())
    page.wait_for_selector("html[data-ready=yes]")
    return page, heard


def until(page: Page, expression: str) -> None:
    """Returns when an expression is true. (`wait_for_function` makes code from strings, which the page forbids.)"""
    for _ in range(200):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"never true: {expression}")


def draw_all(page: Page) -> None:
    """Every chart has come into view once."""
    for chart in page.locator(".chart").all():
        if chart.is_visible():
            chart.scroll_into_view_if_needed()
    until(page, "[...document.querySelectorAll('.chart')].every((c) => !c.offsetParent || c.dataset.state === 'drawn')")


@pytest.mark.parametrize("name", ["ordinary", "thousand", "idle", "single", "hostile", "wide"])
def test_the_page_opens_without_a_complaint(browser: Browser, folder: Path, name: str) -> None:
    page, heard = opened(browser, page_of(name, folder))
    draw_all(page)
    assert page.evaluate("window.broken") is None
    assert heard == []
    if name == "hostile":  # on the axis of the P&L by symbol, too, where markup would vanish
        ticks = page.locator("[data-figure=by-0] .xtick text").all_text_contents()
        assert {*reported.HOSTILE[:3]} <= set(ticks)
    page.context.close()


@pytest.mark.parametrize(("name", "without"), [("idle", []), ("hostile", [[".chart"]])])
def test_the_page_is_accessible_in_both_themes(
    browser: Browser, folder: Path, name: str, without: list[list[str]]
) -> None:
    """With its charts, and, where the tables are full, without them: axe takes a minute for a thousand marks."""
    page, _ = opened(browser, page_of(name, folder))
    page.evaluate("document.querySelectorAll('details').forEach((d) => d.open = true)")
    for theme in ("light", "dark"):
        assert page.evaluate("document.documentElement.dataset.theme") == theme
        found = Axe().run(page, context={"exclude": without} if without else None)
        assert found.violations_count == 0, (theme, found.generate_report())
        page.click("#theme")
    page.context.close()


def test_the_policy_forbids_code_from_strings_and_other_scripts(browser: Browser, folder: Path) -> None:
    page, heard = opened(browser, page_of("ordinary", folder))
    page.evaluate(
        "() => { const s = document.createElement('script'); s.textContent = 'foreign = 1'; document.body.append(s); }"
    )
    page.evaluate("() => { document.body.setAttribute('onclick', 'foreign = 1'); document.body.click(); }")
    assert page.evaluate("window.foreign") is None
    assert len([line for line in heard if "Content Security Policy" in line]) == 2
    assert "refused" in page.evaluate("() => fetch('https://example.org').then(() => 'let through', () => 'refused')")
    page.context.close()


def test_sorting_and_filtering_the_trades(browser: Browser, folder: Path) -> None:
    page, heard = opened(browser, page_of("thousand", folder))
    profits = "() => [...document.querySelectorAll('#trades-table tbody tr')].map((r) => +(r.cells[8].dataset.v ?? r.cells[8].textContent))"
    before = page.evaluate(profits)
    page.click("#trades-table th:nth-child(9) button")
    assert page.evaluate(profits) == sorted(before) != before
    page.click("#trades-table th:nth-child(9) button")
    assert page.evaluate(profits) == sorted(before, reverse=True)
    page.get_by_label("Filter: 1,200 of").fill("2016-03")
    shown = page.locator("#trades-table tbody tr:visible").all_inner_texts()
    assert 0 < len(shown) < 1200
    assert all("2016-03" in text for text in shown)
    assert heard == []
    page.context.close()


def test_jumping_to_a_trade_shows_its_symbol_and_time(browser: Browser, folder: Path) -> None:
    page, heard = opened(browser, page_of("ordinary", folder))
    row = page.locator("#trades-table tbody tr", has_text="BBB").last
    place, first, last = (float(part) for part in row.get_attribute("data-key").split("|"))
    row.locator("button").click()
    chart = f"[data-figure=bars-{place:.0f}]"
    page.wait_for_selector(f"{chart}[data-state=drawn]")
    until(page, f"document.querySelector('{chart}').layout.xaxis.range !== undefined")
    axis = f"document.querySelector('{chart}')._fullLayout.xaxis"
    begin, end = page.evaluate(f"{axis}.range.map({axis}.r2l)")
    assert (begin, end) == (first - 25 * 864e5, last + 25 * 864e5)
    assert page.locator(chart).is_visible()
    assert page.locator("#symbols").input_value() == f"{place:.0f}"
    assert heard == []
    page.context.close()


def test_the_saved_table_has_no_formulas(browser: Browser, folder: Path) -> None:
    page, heard = opened(browser, page_of("hostile", folder))
    with page.expect_download() as waiting:
        page.get_by_label("Save as CSV: 80 of 80 trades").click()
    text = Path(waiting.value.path()).read_text(encoding="utf-8")
    assert '"\'=HYPERLINK(""http://x"")"' in text
    assert not [cell for line in text.splitlines() for cell in line.split('","') if cell.strip('"').startswith("=")]
    assert heard == []
    page.context.close()


def test_the_keyboard_reaches_tables_and_charts_have_words(browser: Browser, folder: Path) -> None:
    page, _ = opened(browser, page_of("idle", folder))
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    captions = page.locator("figcaption").all_inner_texts()
    assert all(captions)
    assert len(captions) == page.locator("figure").count()
    page.context.close()


def test_both_themes_colour_page_and_charts(browser: Browser, folder: Path) -> None:
    for scheme, back in (("light", "#fff"), ("dark", "#0d1117")):
        page, _ = opened(browser, page_of("ordinary", folder), scheme)
        page.wait_for_selector(DRAWN)
        assert page.evaluate("document.querySelector('[data-figure=equity]').layout.paper_bgcolor") == back
        page.context.close()


def test_a_million_bars_open_and_zoom_into_detail(browser: Browser, folder: Path) -> None:
    page, heard = opened(browser, page_of("long", folder))
    page.wait_for_selector(DRAWN)
    size = "document.querySelector('[data-figure=equity]').calcdata[0].length"
    whole = page.evaluate(size)
    assert whole <= 2002
    zoom = "(r) => Plotly.relayout(document.querySelector('[data-figure=equity]'), {'xaxis.range': r})"
    page.evaluate(zoom, ["2015-06-01", "2015-09-01"])
    until(page, f"{size} !== {whole}")
    seen = "(p) => p.x >= Date.UTC(2015, 5) && p.x <= Date.UTC(2015, 8)"
    inside = page.evaluate(f"document.querySelector('[data-figure=equity]').calcdata[0].filter({seen}).length")
    assert "2015" in page.locator("[data-figure=equity] .xtick text").first.text_content()
    assert inside > 24_000 * 92 / 695 * 0.5  # about the finest level's points in the window; the overview has 265
    page.evaluate("Plotly.relayout(document.querySelector('[data-figure=equity]'), {'xaxis.autorange': true})")
    until(page, f"{size} === {whole}")
    assert heard == []
    page.context.close()


def test_dragging_zooms_and_a_double_click_shows_all(browser: Browser, folder: Path) -> None:
    page, heard = opened(browser, page_of("ordinary", folder))
    page.wait_for_selector(DRAWN)
    page.locator("[data-figure=equity]").scroll_into_view_if_needed()
    axis = "document.querySelector('[data-figure=equity]')._fullLayout.xaxis"
    span = f"(() => {{ const [a, b] = {axis}.range.map({axis}.r2l); return b - a; }})()"
    whole = page.evaluate(span)
    box = page.locator("[data-figure=equity] .nsewdrag").first.bounding_box()
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 0.25 * box["width"], middle)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.50 * box["width"], middle, steps=4)
    page.mouse.up()
    until(page, f"{span} < {0.3 * whole}")
    assert page.evaluate(span) == pytest.approx(0.25 * whole, rel=0.02)
    page.mouse.dblclick(box["x"] + 0.5 * box["width"], middle)
    until(page, f"{span} === {whole}")
    assert heard == []
    page.context.close()


BARS = "document.querySelector('[data-figure=bars-0]')"


def in_view(page: Page) -> tuple[str, np.ndarray]:
    """What the legend calls the candles, and time, open, high, low and close of those in view."""
    return page.evaluate(f"{BARS}._fullData[0].name"), np.array(
        page.evaluate(
            f"""() => {{
                const {{ xaxis: axis }} = {BARS}._fullLayout, [from, to] = axis.range.map(axis.r2l), c = {BARS}._fullData[0];
                return Array.from(c.x, (x, i) => [axis.d2l(x), c.open[i], c.high[i], c.low[i], c.close[i]])
                  .filter(([x]) => x >= from && x <= to);
            }}"""
        )
    )


def test_candles_of_a_million_bars_become_finer_down_to_single_bars_at_a_trade(browser: Browser, folder: Path) -> None:
    page, heard = opened(browser, page_of("long", folder))
    page.locator("[data-figure=bars-0]").scroll_into_view_if_needed()
    page.wait_for_selector("[data-figure=bars-0][data-state=drawn]")
    name, seen = in_view(page)
    assert (name, len(seen)) == ("667 bars a candle", 1_500)
    names = [name]
    for days in (90, 18, 5):
        range_ = ["2015-06-01", f"{date(2015, 6, 1) + timedelta(days=days)}"]
        page.evaluate(f"(r) => Plotly.relayout({BARS}, {{'xaxis.range': r}})", range_)
        name, seen = in_view(page)
        assert 300 < len(seen) <= 1_600
        names.append(name)
    assert names == ["667 bars a candle", "112 bars a candle", "19 bars a candle", "19 bars a candle"]
    page.locator("#trades-table tbody tr").nth(20).locator("button").click()
    until(page, f"{BARS}._fullData[0].name === 'Bars'")
    bars = reported.bars(("AAA",), 1_000_000, timedelta(minutes=1))
    _, seen = in_view(page)
    assert len(seen) == 7 + 2 * 25 + 1
    exact = bars.filter(pl.col("timestamp").dt.epoch("ms").is_in(seen[:, 0].astype(int).tolist()))
    assert (seen[:, 1:] == exact.select("open", "high", "low", "close").to_numpy().astype("f4")).all()
    low, high = page.evaluate(f"{BARS}._fullLayout.yaxis.range")  # prices fill the height
    assert exact["low"].min() - low == pytest.approx(high - exact["high"].max())
    assert (exact["high"].max() - exact["low"].min()) / (high - low) > 0.8
    page.evaluate(f"Plotly.relayout({BARS}, {{'xaxis.autorange': true}})")
    until(page, f"{BARS}._fullData[0].name === '667 bars a candle'")
    assert heard == []
    page.context.close()


def test_every_trade_that_is_listed_is_drawn(browser: Browser, folder: Path) -> None:
    page, _ = opened(browser, page_of("thousand", folder))
    page.locator("#trades-table tbody tr").last.locator("button").click()
    until(page, f"{BARS}?.layout?.xaxis?.range !== undefined")
    from_, to = page.evaluate(f"(() => {{ const a = {BARS}._fullLayout.xaxis; return a.range.map(a.r2l); }})()")
    traces = page.evaluate(f"{BARS}.calcdata.map((c) => [c[0].trace.name, c.map((p) => p.x)])")
    drawn = {name: sum(from_ <= x <= to for x in xs if x is not None) for name, xs in traces}
    assert all(drawn[name] for name in ("buy fills", "sell fills", "Stops")), drawn
    assert drawn["Trades won"] + drawn["Trades lost"] > 0
    page.context.close()


def test_paper_is_white_and_holds_every_chart(browser: Browser, folder: Path) -> None:
    page, heard = opened(browser, page_of("ordinary", folder), "dark")
    page.wait_for_selector("html[data-complete=yes]")
    page.evaluate(
        """addEventListener("beforeprint", () => (window.paper = [...document.querySelectorAll(".chart")]
            .filter((c) => c.offsetParent).map((c) => [c.dataset.state, c._fullLayout.paper_bgcolor, c._fullLayout.width])))"""
    )
    assert page.pdf(prefer_css_page_size=True).startswith(b"%PDF")
    paper = page.evaluate("window.paper")
    assert len(paper) == page.locator(".chart:visible").count() > 10
    assert {tuple(chart) for chart in paper} == {("drawn", "#fff", 960)}
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert page.evaluate("document.querySelector('[data-figure=equity]')._fullLayout.paper_bgcolor") == "#0d1117"
    assert heard == []
    page.context.close()


def test_a_folded_out_phone_has_no_sideways_scroll(browser: Browser, folder: Path) -> None:
    page, _ = opened(browser, page_of("ordinary", folder))
    page.set_viewport_size({"width": 390, "height": 800})
    page.evaluate("document.querySelectorAll('details').forEach((d) => d.open = true)")
    draw_all(page)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.context.close()


DRAWS = """
window.drawn = {};
new MutationObserver((changes) => changes.forEach(({ target }) => (window.drawn[target.dataset.figure] = performance.now())))
  .observe(document, { subtree: true, attributes: true, attributeFilter: ["data-state"] });
"""


@pytest.mark.slow
def test_ten_years_open_in_about_a_second_and_a_million_bars_zoom_at_once(browser: Browser, folder: Path) -> None:
    """The best of five, on a machine that has nothing else to do."""
    first, last = [], []
    for _ in range(5):
        context = browser.new_context(offline=True, viewport={"width": 1280, "height": 900})
        page = context.new_page()
        page.add_init_script(DRAWS)
        page.goto(page_of("thousand", folder).as_uri())
        page.wait_for_selector("html[data-complete=yes]")
        times = page.evaluate("Object.values(window.drawn)")
        first.append(min(times))
        last.append(max(times))
        context.close()
    page, _ = opened(browser, page_of("long", folder))
    page.wait_for_selector("html[data-complete=yes]")
    zooms = []
    for end in ("2015-09-01", "2015-06-20", "2015-06-03", "2016-06-01"):
        zoom = f"(r) => {{ const t = performance.now(); Plotly.relayout({BARS}, {{'xaxis.range': r}}); return performance.now() - t; }}"
        zooms.append(page.evaluate(zoom, ["2015-06-01", end]))
    page.context.close()
    sys.stdout.write(
        f"first chart {min(first):.0f} ms, last {min(last):.0f} ms, zooms {[round(zoom) for zoom in zooms]} ms"
    )
    assert min(first) < 1_000
    assert min(last) < 3_000
    assert max(zooms) < 1_000
