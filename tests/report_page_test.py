#!/usr/bin/python3
"""
Promises of report.html in a browser: it opens alone, and what it offers works: sorting, filters, zoom, switches, samples,
downloads, the dark, the keyboard, print. Each is tried in a headless Chromium, on the page of results/reference and on one of a
synthetic run that has every kind of chart and hostile names. It leaves out looks, which need eyes, and how soon it is painted
(report_paint_test.py).
Run from the repository root: /usr/bin/python3 tests/report_page_test.py
"""
import base64
import csv
import gzip
import hashlib
import io
import json
import os
import re
import sys
import tempfile
import time
import unittest
import xml.etree.ElementTree

sys.dont_write_bytecode = True

import plot_latency_test  # noqa: E402  (puts plot/ on the path)
import plot_ledger_test  # noqa: E402
import plot_pages_test  # noqa: E402
from plot_test import list_lifetime, make_run, read, run_report, write  # noqa: E402

import latency  # noqa: E402
import numpy  # noqa: E402
import PIL.Image  # noqa: E402
import report_pack  # noqa: E402
import report_page  # noqa: E402
import run_folder  # noqa: E402

from selenium import webdriver  # noqa: E402
from selenium.webdriver.chrome.options import Options  # noqa: E402
from selenium.webdriver.chrome.service import Service  # noqa: E402
from selenium.webdriver.common.action_chains import ActionChains  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402

REFERENCE = os.path.abspath("results/reference")
PATIENCE_S = 60
HOSTILE = "</script><img src=x onerror=alert(1)>&\"'"
LIBRARY_SHA256 = "bf4a223524e40b77c304bec67e1222cf551f14880cf42c69dc046558e11c07b1"


class Browser:
    """A headless Chromium with a folder for what it downloads."""

    def __init__(self, downloads):
        options = Options()
        for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1300,900", "--disable-dev-shm-usage",
                         "--force-prefers-reduced-motion"):  # clicks do not wait for a page that still scrolls
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)
        self.downloads = downloads
        self.driver.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": downloads})

    def open(self, path, ready=True):
        self.driver.get("about:blank")
        self.driver.get_log("browser"), self.driver.get_log("performance")
        self.driver.get("file://" + path)
        self.wait("return document.documentElement.dataset.started === 'yes'")
        if ready:
            self.wait("return document.documentElement.dataset.ready === 'yes'")

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def wait(self, script, *arguments):
        """Until the script returns something true; returns it."""
        end = time.monotonic() + PATIENCE_S
        while True:
            found = self.run(script, *arguments)
            if found:
                return found
            if time.monotonic() > end:
                raise AssertionError(f"not within {PATIENCE_S} s: {script}")
            time.sleep(0.05)

    def find(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def find_all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def show(self, kind):
        """Brings the first chart of a kind into view and waits until it is drawn. Returns its selector."""
        name = self.run("const all = [...document.querySelectorAll(`figure.chart[data-kind='${arguments[0]}']`)];"
                        "const one = all.find(figure => !figure.closest('[hidden]')) ?? all[0]; const chapter = one.closest('.chapter');"
                        "const picker = document.getElementById('picker-select');"
                        "if (chapter?.hidden) { picker.value = chapter.id; picker.dispatchEvent(new Event('change')); } one.scrollIntoView({behavior: 'instant'}); return one.id", kind)
        self.wait("return Boolean(figures.find(one => one.element.id === arguments[0]).chart)", name)
        self.wait("document.getElementById(arguments[0]).scrollIntoView({behavior: 'instant'}); return true", name)
        return "#" + name

    def option(self, selector):
        """Of a chart what it was told last, as far as tests look at it."""
        return self.run("const option = figures.find(one => '#' + one.element.id === arguments[0]).chart.getOption();"
                        "return {series: option.series.map(one => ({name: one.name, type: one.type, count: (one.data ?? []).length})),"
                        "zoom: option.dataZoom?.[0] && [option.dataZoom[0].start, option.dataZoom[0].end], grids: option.grid.length}", selector)

    def extent(self, selector):
        """Of a chart the first x axis as it is shown."""
        return self.run("const chart = figures.find(one => '#' + one.element.id === arguments[0]).chart;"
                        "return chart.getModel().getComponent('xAxis', 0).axis.scale.getExtent()", selector)

    def press(self, selector, label):
        """Clicks the button of that text in a chart."""
        button = next(one for one in self.find_all(selector + " .tools button") if one.text == label)
        self.run("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", button)
        button.click()

    def downloaded(self, end):
        """The bytes of the one file that ends so, once it is there; it is removed."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            names = [name for name in os.listdir(self.downloads) if name.endswith(end)]
            if names and os.path.getsize(os.path.join(self.downloads, names[0])):
                path = os.path.join(self.downloads, names[0])
                data = read(path, mode="rb")
                os.unlink(path)
                return names[0], data
            time.sleep(0.05)
        raise AssertionError(f"no {end} was downloaded: {os.listdir(self.downloads)}")

    def complaints(self):
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def requests(self):
        """What was asked for since the page was opened."""
        messages = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        return [message["params"]["request"]["url"] for message in messages if message["method"] == "Network.requestWillBeSent"]


def make_page(folder):
    """Writes the report of a run without its pictures, which are no matter here."""
    run = run_folder.read_run(folder)
    report_page.write_report(run, [], latency.read_latencies(run), report_page.find_library())
    return os.path.join(folder, "report.html")


def make_everything(folder):
    """A run with every kind of chart but censuses and micro-benchmarks, whose rows and reasons are hostile."""
    rows = ("glibc", HOSTILE, "jemalloc")
    cells = [list_lifetime(row, kept_mb) for row, kept_mb in zip(rows, (200.0, 1.0, 90.0))]
    gone = list_lifetime("gone", 1.0)
    gone.update(status="n/a", reason=HOSTILE)
    make_run(folder, [*cells, gone])
    for index, phases in enumerate(plot_ledger_test.PHASES.values()):
        plot_ledger_test.put_ledger(folder, index, phases)
    for index, phases in enumerate(plot_pages_test.PHASES.values()):
        plot_pages_test.put_pages(folder, index, phases)
    for index in range(3):
        plot_latency_test.put_file(folder, index, plot_latency_test.file_of(
            index, [{("object", "malloc"): plot_latency_test.draw_ticks(index, 3000)}, {("object", "free"): plot_latency_test.draw_ticks(9, 2000)}]))
    return folder


def link_reference(folder):
    """A run folder that is results/reference, but for what is drawn of it."""
    os.mkdir(folder)
    for name in os.listdir(REFERENCE):
        if name not in ("figures", "report.html"):
            os.symlink(os.path.join(REFERENCE, name), os.path.join(folder, name))
    return folder


def setUpModule():
    """One browser for all tests; a page is opened anew by each."""
    holder = tempfile.TemporaryDirectory()
    unittest.addModuleCleanup(holder.cleanup)
    Pages.reference = link_reference(os.path.join(holder.name, "reference"))
    Pages.page = make_page(Pages.reference)
    Pages.everything = make_page(make_everything(os.path.join(holder.name, "everything")))
    downloads = os.path.join(holder.name, "downloads")
    os.mkdir(downloads)
    Pages.browser = Browser(downloads)
    unittest.addModuleCleanup(Pages.browser.driver.quit)


class Pages(unittest.TestCase):
    reference = page = everything = browser = None


class Opened(Pages):
    def test_every_chart_is_drawn_without_a_word_on_the_console_and_nothing_is_loaded(self):
        for page, kinds in ((self.page, {"curves", "points", "dots", "bars", "map", "lines"}),
                            (self.everything, {"curves", "points", "dots", "bars", "lines"})):
            with self.subTest(page=page):
                self.browser.open(page)
                self.browser.run("const picker = document.getElementById('picker-select');"
                                 "if (picker) { picker.value = 'all'; picker.dispatchEvent(new Event('change')); }")
                names = self.browser.run("return figures.map(one => one.element.id)")
                self.assertEqual(set(self.browser.run("return figures.map(one => one.element.dataset.kind)")), kinds)
                for name in names:
                    self.browser.run("document.getElementById(arguments[0]).scrollIntoView({behavior: 'instant'})", name)
                    self.browser.wait("return Boolean(figures.find(one => one.element.id === arguments[0]).chart)", name)
                    inked = self.browser.wait(
                        "const canvas = document.querySelector(`#${arguments[0]} canvas`), {width, height} = canvas;"
                        "const data = canvas.getContext('2d').getImageData(0, 0, width, height).data; let inked = 0;"
                        "for (let at = 3; at < data.length; at += 4) inked += data[at] > 0; return inked", name)
                    self.assertGreater(inked, 500, name)
                self.assertEqual(self.browser.complaints(), [])
                self.assertEqual([url for url in self.browser.requests() if not url.startswith(("file://" + page, "data:", "blob:"))], [])
                self.assertFalse(self.browser.find_all(".plot.failed"))

    def test_the_answer_comes_first(self):
        self.browser.open(self.page, ready=False)
        titles = [title.text for title in self.browser.find_all("main h2")]
        self.assertEqual(titles[0], "The answer")
        self.assertGreater(len(self.browser.find_all("#answer tbody tr")), 4)

    def test_the_hostile_run_is_text(self):
        self.browser.open(self.everything)
        for kind in ("curves", "points", "dots", "bars", "lines"):
            self.browser.show(kind)
        self.assertEqual(self.browser.find_all("img"), [])
        self.assertIn(HOSTILE, self.browser.find("#table").text)
        next(one for one in self.browser.find_all("#table td.open button") if HOSTILE in one.get_attribute("aria-label")).click()
        self.browser.wait("return document.querySelector('.samples tbody tr')")
        plot = self.browser.find(self.browser.show("curves") + " .plot")
        self.hover(plot, 0.25, 0.2)
        self.assertIn(HOSTILE[:20], self.browser.wait("return [...document.querySelectorAll('.plot')].map(one => one.textContent).join(' ')"))
        self.assertEqual(self.browser.find_all("img"), [])
        self.assertEqual(self.browser.complaints(), [])

    def hover(self, plot, across, down):
        size = plot.size
        ActionChains(self.browser.driver).move_to_element_with_offset(
            plot, round((across - 0.5) * size["width"]), round((down - 0.5) * size["height"])).perform()
        time.sleep(0.3)

    def test_markup_that_came_in_unescaped_would_not_run(self):
        page = os.path.join(os.path.dirname(self.everything), "broken.html")
        html = read(self.everything)
        write(os.path.dirname(page), "broken.html", html.replace("</main>", "<script>window.ran = 1</script><img src=x onerror='window.ran = 1'></main>"))
        self.browser.open(page)
        time.sleep(0.3)
        self.assertIsNone(self.browser.run("return window.ran ?? null"))
        self.assertTrue(any("Content Security Policy" in text for text in self.browser.complaints()))


class Table(Pages):
    def setUp(self):
        self.browser.open(self.page, ready=False)

    def column(self, place):
        return self.browser.run("return [...document.querySelectorAll('#table tbody:not([hidden])')].map(body => [...body.querySelectorAll('tr.cell')]"
                                ".filter(row => !row.hidden).map(row => row.cells[arguments[0]].dataset.sort ?? row.cells[arguments[0]].textContent))"
                                ".filter(group => group.length)", place)

    def header(self, title):
        return next(one for one in self.browser.find_all("#table thead th") if one.text.startswith(title))

    def test_a_header_sorts_within_each_experiment_up_down_and_back(self):
        before = self.column(3)
        button = self.header("peak").find_element(By.TAG_NAME, "button")
        for wanted, reverse in (("ascending", False), ("descending", True)):
            button.click()
            self.assertEqual(self.header("peak").get_attribute("aria-sort"), wanted)
            self.assertEqual(self.column(3), [sorted(group, key=float, reverse=reverse) for group in before])
        button.click()
        self.assertEqual((self.header("peak").get_attribute("aria-sort"), self.column(3)), ("none", before))

    def test_one_list_is_sorted_over_all_experiments_and_says_of_which_a_row_is(self):
        self.header("wall").find_element(By.TAG_NAME, "button").click()
        self.browser.find("#filter-flat").click()
        (times,) = self.column(2)
        self.assertEqual(times, sorted(times, key=float))
        self.assertIn("list_lifetime", self.browser.find("#table tbody:not([hidden]) tr.cell .where").text + "".join(
            one.text for one in self.browser.find_all(".where")))

    def test_filters_leave_what_fits(self):
        everything = sum(map(len, self.column(0)))
        self.browser.find("#filter-text").send_keys("larson jemalloc")
        self.assertEqual([[text.partition("jemalloc")[1] for text in group] for group in self.column(0)], [["jemalloc"]])
        self.assertEqual(self.browser.find("#filter-count").text, f"1 of {everything} cells")
        self.browser.find("#filter button[type=reset]").click()
        self.browser.wait("return document.getElementById('filter-count').textContent === arguments[0]", f"{everything} of {everything} cells")
        self.browser.find("#filter-allocator option[value=mimalloc]").click()
        self.assertEqual({text[:8] for group in self.column(0) for text in group}, {"mimalloc"})
        self.browser.find("#filter-workload option[value=larson]").click()
        self.assertEqual(len(self.column(0)), 1)

    def test_a_cell_opens_its_samples_and_closes_them(self):
        row = self.browser.find("#table tr.cell")
        button = row.find_element(By.CSS_SELECTOR, "td.open button")
        records = [json.loads(line) for line in read(REFERENCE, "samples.jsonl").splitlines()]
        mine = [record for record in records if record["cell"] == int(row.get_attribute("data-cell"))]
        button.click()
        self.browser.wait("return document.querySelector('.samples .strips canvas')")
        told = [[field.text for field in line.find_elements(By.TAG_NAME, "td")] for line in self.browser.find_all(".samples tbody tr")]
        self.assertEqual([line[:2] for line in told], [[str(record["sample"]), str(record["round"])] for record in mine])
        for line, record in zip(told, mine):
            self.assertAlmostEqual(float(line[3].split()[0]), record["peak_bytes"] / 1e6, delta=0.051)
            self.assertEqual(line[-1], record["status"])
        self.assertTrue(self.browser.find(".samples a").get_attribute("href").endswith("#experiment-0"))
        self.assertEqual(button.get_attribute("aria-expanded"), "true")
        button.click()
        self.assertEqual((self.browser.find_all(".samples"), button.get_attribute("aria-expanded")), ([], "false"))

    def test_it_can_be_used_by_the_keyboard_alone(self):
        seen = []
        for _ in range(60):
            ActionChains(self.browser.driver).send_keys(Keys.TAB).perform()
            focused = self.browser.driver.switch_to.active_element
            name = focused.get_attribute("id") or focused.text or focused.get_attribute("aria-label")
            seen.append(name)
            if name == "wall":
                break
        self.assertEqual(seen[0], "Skip to the answer")
        self.assertLess(seen.index("filter-text"), seen.index("wall"))
        ActionChains(self.browser.driver).send_keys(Keys.ENTER).perform()
        self.assertEqual(self.header("wall").get_attribute("aria-sort"), "ascending")
        while self.browser.run("return !document.activeElement.closest('td.open')"):
            ActionChains(self.browser.driver).send_keys(Keys.TAB).perform()
        ActionChains(self.browser.driver).send_keys(Keys.SPACE).perform()
        self.browser.wait("return document.querySelector('.samples tbody tr')")


class Charts(Pages):
    def setUp(self):
        self.browser.open(self.page)
        self.chart = self.browser.show("curves")

    def test_buttons_zoom_and_show_the_whole_again(self):
        whole = self.browser.extent(self.chart)
        self.browser.press(self.chart, "+")
        zoomed = self.browser.extent(self.chart)
        self.assertAlmostEqual(zoomed[1] - zoomed[0], (whole[1] - whole[0]) / 2, delta=0.01 * whole[1])
        self.browser.press(self.chart, "▶")
        self.assertGreater(self.browser.extent(self.chart)[0], zoomed[0])
        self.browser.press(self.chart, "Whole")
        self.assertEqual(self.browser.extent(self.chart), whole)

    def test_names_of_points_stand_inside_and_off_each_other(self):
        at_the_floor = [[100, 295, "pymalloc"], [105, 295, "cpython"], [500, 295, "glibc"]]
        self.assertEqual(self.browser.run("return placeNames(arguments[0], 300)", at_the_floor), [["top", 6], ["top", 22], ["top", 6]])
        in_the_middle = [[100, 150, "pymalloc"], [105, 150, "cpython"], [110, 5, "glibc"]]
        self.assertEqual(self.browser.run("return placeNames(arguments[0], 300)", in_the_middle), [["top", 6], ["bottom", 6], ["bottom", 6]])

    def test_dragging_zooms_to_the_stretch_and_a_double_click_shows_the_whole(self):
        whole = self.browser.extent(self.chart)
        plot = self.browser.find(self.chart + " .plot")
        self.browser.run("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", plot)
        left, top = -plot.size["width"] // 2, -plot.size["height"] // 2
        ActionChains(self.browser.driver).move_to_element_with_offset(plot, left + 150, top + 90).click_and_hold().move_by_offset(
            60, 5).move_by_offset(60, 5).release().perform()
        begin, end = self.browser.wait("const chart = figures.find(one => '#' + one.element.id === arguments[0]).chart;"
                                       "const found = chart.getModel().getComponent('xAxis', 0).axis.scale.getExtent();"
                                       "return found[1] - found[0] < arguments[1] ? found : null", self.chart, 0.6 * whole[1])
        self.assertGreater(begin, 0)
        self.assertLess(end, whole[1])
        ActionChains(self.browser.driver).move_to_element_with_offset(plot, left + 150, top + 90).double_click().perform()
        self.assertEqual(self.browser.extent(self.chart), whole)

    def test_the_wheel_zooms_with_control_and_leaves_the_page_alone_without(self):
        whole = self.browser.extent(self.chart)
        x, y = self.browser.run("const box = document.querySelector(`${arguments[0]} .plot`).getBoundingClientRect(); return [box.x + 200, box.y + 90]", self.chart)
        self.browser.run("window.taken = []; addEventListener('wheel', event => setTimeout(() => window.taken.push(event.defaultPrevented)), {capture: true, passive: true})")

        def turn(modifiers):
            self.browser.driver.execute_cdp_cmd("Input.dispatchMouseEvent", {"type": "mouseMoved", "x": x, "y": y})
            self.browser.driver.execute_cdp_cmd("Input.dispatchMouseEvent", {
                "type": "mouseWheel", "x": x, "y": y, "deltaX": 0, "deltaY": -120, "modifiers": modifiers})
        turn(0)
        self.browser.wait("return window.taken.length === 1")
        self.assertEqual((self.browser.run("return window.taken"), self.browser.extent(self.chart)), ([False], whole))
        self.browser.run("document.querySelector(arguments[0]).scrollIntoView({behavior: 'instant'})", self.chart)
        turn(2)
        self.browser.wait("const chart = figures.find(one => '#' + one.element.id === arguments[0]).chart;"
                          "const found = chart.getModel().getComponent('xAxis', 0).axis.scale.getExtent(); return found[1] - found[0] < arguments[1]",
                          self.chart, 0.999 * (whole[1] - whole[0]))

    def test_a_box_hides_a_row_and_brings_it_back(self):
        before = self.browser.option(self.chart)
        box = self.browser.find(self.chart + " input[name=row]")
        name = box.find_element(By.XPATH, "..").text
        box.click()
        after = self.browser.option(self.chart)
        self.assertIn(name, {one["name"] for one in before["series"]})
        self.assertNotIn(name, {one["name"] for one in after["series"]})
        self.assertEqual(after["grids"], before["grids"] - 1)
        box.click()
        self.assertEqual(self.browser.option(self.chart), before)

    def test_a_switch_hides_a_series_of_all_rows(self):
        count = lambda: len([one for one in self.browser.option(self.chart)["series"] if one["type"] == "scatter"])
        self.assertGreater(count(), 0)
        self.browser.find(self.chart + " input[name=uss]").click()
        self.assertEqual(count(), 0)

    def test_all_rows_in_one_have_one_axis(self):
        self.browser.find(self.chart + " select[name=mode] option[value=overlay]").click()
        self.assertEqual(self.browser.option(self.chart)["grids"], 1)

    def test_hovering_tells_the_values_at_that_time(self):
        plot = self.browser.find(self.chart + " .plot")
        ActionChains(self.browser.driver).move_to_element_with_offset(plot, -plot.size["width"] // 2 + 250, -plot.size["height"] // 2 + 90).perform()
        text = self.browser.wait("const text = document.querySelector(arguments[0] + ' .plot').innerText; return /resident/.test(text) && text", self.chart)
        self.assertRegex(text, r"pymalloc · [\d.]+\sm?s · \w+")
        self.assertRegex(text, r"resident\s+[\d.]+\sMB")

    def test_a_chart_says_what_it_is_to_those_who_do_not_see_it(self):
        plot = self.browser.find(self.chart + " .plot")
        self.assertEqual(plot.get_attribute("role"), "img")
        self.assertRegex(plot.get_attribute("aria-label"), r"^Memory over time: pymalloc gives back 25")
        for button in self.browser.find_all(self.chart + " .tools button"):
            self.assertTrue(button.get_attribute("aria-label").startswith("Memory over time: "))

    def test_svg_png_and_csv_can_be_taken_away(self):
        for kind in ("curves", "points", "dots", "bars", "map", "lines"):
            with self.subTest(kind=kind):
                chart = self.browser.show(kind)
                self.browser.press(chart, "SVG")
                name, data = self.browser.downloaded(".svg")
                root = xml.etree.ElementTree.fromstring(data)
                self.assertEqual(root.tag, "{http://www.w3.org/2000/svg}svg")
                self.assertGreater(len(list(root.iter())), 20)
                self.assertRegex(name, r"^[A-Za-z0-9._-]+$")
                self.browser.press(chart, "PNG")
                image = PIL.Image.open(io.BytesIO(self.browser.downloaded(".png")[1]))
                self.assertGreater(image.width, 1500)
                self.assertGreater(len(image.convert("RGB").getcolors(2**24)), 5)
                self.browser.press(chart, "CSV")
                lines = list(csv.reader(io.StringIO(self.browser.downloaded(".csv")[1].decode("utf-8"))))
                self.assertGreater(len(lines), 1)
                self.assertEqual({len(line) for line in lines}, {len(lines[0])})

    def test_the_csv_of_a_curve_is_what_was_measured_within_the_stated_error(self):
        run = run_folder.read_run(self.reference)
        self.browser.press(self.chart, "CSV")
        lines = list(csv.DictReader(io.StringIO(self.browser.downloaded(".csv")[1].decode("utf-8"))))
        told = re.search(r"off by no more than ([\d.]+)\sMB \(thin lines: ([\d.]+)\sMB", self.browser.find(self.chart).text)
        for cell in run.experiments[0].cells:
            for sample in cell.good:
                curve = run_folder.read_curve(run, sample)
                mine = [line for line in lines if line["series"] == "resident" and int(line["sample"]) == sample.number]
                x, y = ([float(line[name]) for line in mine] for name in ("seconds", "megabytes"))
                at_most = float(told[1 if sample is cell.representative() else 2]) + 0.05
                # Times are rounded too: a steep line may be so far off beside it.
                steep = numpy.abs(numpy.gradient(curve.resident_mb, numpy.arange(len(curve.t_s)))) > 1
                off = numpy.abs(numpy.interp(curve.t_s, x, y) - curve.resident_mb)
                self.assertLessEqual(off[~steep].max(), at_most, (cell.allocator, sample.number))
                self.assertAlmostEqual(max(y), curve.resident_mb.max(), delta=0.02)

    def test_the_dark_is_of_the_system_or_of_the_button(self):
        paper = lambda: self.browser.run("return getComputedStyle(document.body).backgroundColor")
        pixel = ("const canvas = document.querySelector(`${arguments[0]} canvas`), context = canvas.getContext('2d'); const data = context.getImageData(0, 0, canvas.width, 30).data;"
                 "let light = 0, all = 0; for (let at = 0; at < data.length; at += 4) if (data[at + 3] > 200) { all++; light += data[at] > 150; } return light / all")
        light_paper, light_ink = paper(), self.browser.run(pixel, self.chart)
        self.browser.find("#theme-button").click()
        self.assertNotEqual(paper(), light_paper)
        self.assertLess(light_ink, 0.5)
        self.assertGreater(self.browser.run(pixel, self.chart), 0.5)
        self.browser.find("#theme-button").click()
        self.browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": "dark"}]})
        try:
            self.browser.open(self.page, ready=False)
            self.assertNotEqual(paper(), light_paper)
        finally:
            self.browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})

    def test_print_has_every_chart_as_drawn_lines_and_no_buttons(self):
        charts = self.browser.run("return figures.length")
        self.browser.run("window.printed = 0; addEventListener('beforeprint', () => { window.printed = document.querySelectorAll('.print svg').length; });")
        pdf = base64.b64decode(self.browser.driver.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})["data"])
        self.assertEqual((pdf[:5], self.browser.run("return window.printed")), (b"%PDF-", charts))
        self.assertGreater(len(re.findall(rb"/Type\s*/Page\b", pdf)), 5)
        self.browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
        try:
            self.assertEqual([one for one in self.browser.find_all(".tools button") if one.is_displayed()], [])
            self.assertTrue(self.browser.find("#table").is_displayed())
        finally:
            self.browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})

    def test_a_link_to_an_experiment_shows_its_charts(self):
        self.assertFalse(self.browser.find("#experiment-4").is_displayed())
        self.browser.find("#answer a[href='#experiment-4']").click()
        self.browser.wait("return !document.getElementById('experiment-4').hidden && document.getElementById('experiment-0').hidden")
        self.assertEqual(self.browser.find("#picker-select").get_attribute("value"), "experiment-4")


class Without(unittest.TestCase):
    def test_without_the_library_there_are_pictures_and_a_word_about_it(self):
        with tempfile.TemporaryDirectory() as holder:
            folder = make_run(os.path.join(holder, "run"), [list_lifetime("glibc", 20.0), list_lifetime("mimalloc", 9.0)])
            path = report_page.LIBRARY_PATH
            self.addCleanup(setattr, report_page, "LIBRARY_PATH", path)
            report_page.LIBRARY_PATH = path + ".not"
            status, _, err = run_report(folder)
            self.assertEqual((status, err), (0, ""))
            html = read(folder, "report.html")
            self.assertTrue("vendor/echarts.min.js.gz.not of this tidemark) was not there when this page was made" in html)
            self.assertGreater(html.count("data:image/png;base64,"), 2)
            self.assertFalse('<figure class="chart"' in html)
            self.assertLessEqual(set(re.findall(r'href="#([^"]+)"', html)), set(re.findall(r' id="([^"]+)"', html)))

    def test_the_library_is_the_one_that_its_readme_names(self):
        text = gzip.decompress(read(report_page.LIBRARY_PATH, mode="rb"))
        self.assertEqual(hashlib.sha256(text).hexdigest(), LIBRARY_SHA256)
        self.assertIn(LIBRARY_SHA256, read(os.path.dirname(report_page.LIBRARY_PATH), "README.md"))


class Small(unittest.TestCase):
    def test_a_thinned_line_is_off_by_no_more_than_it_says_and_keeps_what_it_has_to(self):
        dice = numpy.random.default_rng(1)
        x, y = numpy.arange(5000) / 1000, numpy.cumsum(dice.normal(size=5000))
        for most, tolerance in ((50, 0.0), (5000, 1.0), (200, 0.5)):
            kept, off = report_pack.thin(x, y, [777, 1234], most, tolerance)
            self.assertLessEqual({0, 777, 1234, 4999, int(y.argmax()), int(y.argmin())}, set(kept))
            self.assertLessEqual(len(kept), most + 6)
            self.assertAlmostEqual(numpy.abs(numpy.interp(x, x[kept], y[kept]) - y).max(), off, places=9)
            self.assertTrue(off <= tolerance or len(kept) >= most)

    def test_a_unit_is_one_two_or_five_and_fine_enough(self):
        self.assertEqual([report_pack.unit(largest, 1000) for largest in (1000, 1999, 2000, 5000, 9999, 0.3, 0)],
                         [1.0, 1.0, 2.0, 5.0, 5.0, 0.0002, 1.0])

    def test_the_same_data_are_the_same_text(self):
        self.assertEqual(report_pack.pack({"a": [1, 2]}), report_pack.pack({"a": [1, 2]}))


if __name__ == "__main__":
    unittest.main()
