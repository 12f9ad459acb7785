"""The report in a real Chromium without network: it opens without an error, and zoom, sort, filter, jump and export work.

Needs Debian's `chromium` (`.ci/run` installs it and sets ML4T_BROWSER=required); without a browser these tests are skipped.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

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


def draw_all(page: Page) -> None:
    """Every chart has come into view once."""
    for chart in page.locator(".chart").all():
        if chart.is_visible():
            chart.scroll_into_view_if_needed()
    page.wait_for_function(
        "[...document.querySelectorAll('.chart')].every((c) => !c.offsetParent || c.dataset.state === 'drawn')"
    )


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
    page.wait_for_function(f"document.querySelector('{chart}').layout.xaxis.range !== undefined")
    axis = f"document.querySelector('{chart}')._fullLayout.xaxis"
    begin, end = page.evaluate(f"{axis}.range.map({axis}.r2l)")
    assert begin < first <= last < end
    assert end - begin < 30 * 864e5
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
    page.wait_for_function(f"{size} !== {whole}")
    seen = "(p) => p.x >= Date.UTC(2015, 5) && p.x <= Date.UTC(2015, 8)"
    inside = page.evaluate(f"document.querySelector('[data-figure=equity]').calcdata[0].filter({seen}).length")
    assert inside > 24_000 * 92 / 695 * 0.5  # about the finest level's points in the window; the overview has 265
    page.evaluate("Plotly.relayout(document.querySelector('[data-figure=equity]'), {'xaxis.autorange': true})")
    page.wait_for_function(f"{size} === {whole}")
    assert heard == []
    page.context.close()
