/* Each cell of the table opens its samples: a strip of dots per figure, a list with what became of each, and the way to its curve. */
const SAMPLE_FIGURES = [["time", "wall", "s"], ["peak", "peak", "MB"], ["kept", "retained", "MB"], ["back", "given back, of objects", "%"],
                        ["live", "given back, of live", "%"], ["since", "since last free", "s"]];

function startSamples() {
    for (const field of document.querySelectorAll("#table td.open")) {
        const row = field.closest("tr"), name = row.cells[0].firstChild.textContent, count = field.textContent.trim();
        field.replaceChildren(make("button", {type: "button", "aria-expanded": "false", "aria-label": `${count} samples of ${name}`,
                                              onclick: event => toggleSamples(event.currentTarget, row)}, count));
    }
}

async function toggleSamples(button, row) {
    const opened = row.nextElementSibling?.classList.contains("samples") ? row.nextElementSibling : null;
    button.setAttribute("aria-expanded", String(!opened));
    if (opened) {
        window.echarts?.getInstanceByDom(opened.querySelector(".strips"))?.dispose();
        opened.remove();
        return;
    }
    const field = make("td", {colspan: row.cells.length});
    const detail = make("tr", {class: "samples", id: `samples-${row.dataset.cell}`}, field);
    button.setAttribute("aria-controls", detail.id);
    row.after(detail);
    const {samples} = await unpack("about"), mine = samples[row.dataset.cell] ?? [];
    field.append(...describeSamples(mine, row));
    if (document.getElementById("library") && mine.some(sample => sample.status === "ok")) {
        await loadLibrary();
        drawStrips(field, mine);
    }
}

function describeSamples(samples, row) {
    const name = row.cells[0].firstChild.textContent;
    if (!samples.length) return [make("p", {}, "No sample of this cell was taken: see its status.")];
    const strips = make("div", {class: "strips", role: "img", "aria-label": `Each figure of each sample of ${name}; the list beneath has the values`});
    const chapter = document.getElementById(`experiment-${row.dataset.experiment}`);
    const link = chapter ? make("p", {}, make("a", {href: `#experiment-${row.dataset.experiment}`}, "Its curves")) : "";
    const head = ["sample", "round", ...SAMPLE_FIGURES.map(([, title]) => title), "canary: turn, load, page", "status"];
    const body = samples.map(sample => make("tr", {}, make("td", {}, String(sample.n)), make("td", {}, sample.round + (sample.repeat ? " again" : "")),
        ...SAMPLE_FIGURES.map(([key, , unit]) => make("td", {}, writeSample(sample[key], unit))),
        make("td", sample.dirty ? {class: "dirty"} : {}, (sample.canary ?? []).map(ns => writeDuration(ns * 1e-9)).join(", ") + (sample.dirty ? " dirty" : "")),
        make("td", {class: "text"}, sample.status + (sample.reason ? `: ${sample.reason}` : ""))));
    const table = make("div", {class: "scroll"}, make("table", {}, make("thead", {}, make("tr", {}, ...head.map(title => make("th", {scope: "col"}, title)))), make("tbody", {}, ...body)));
    return [...(document.getElementById("library") ? [strips] : []), table, link];
}

function writeSample(value, unit) {
    if (value === null || value === undefined) return "n/a";
    return unit === "%" ? writeNumber(100 * value) + NARROW + "%" : writeValue(value, unit);
}

/* On a scale that may be as narrow as a thousandth of its values. */
function writeFine(value, unit) {
    const [factor, name] = unit === "s" ? value < 0.9995 ? [1e3, "ms"] : [1, "s"] : unit === "%" ? [100, "%"] : [1, unit];
    return writeShort(value * factor, 6) + NARROW + name;
}

/* A strip per figure on its own scale: dots of all samples, dirty ones marked, the median as a line. */
function drawStrips(field, samples) {
    const element = field.querySelector(".strips");
    const shown = SAMPLE_FIGURES.filter(([key]) => samples.some(sample => typeof sample[key] === "number"));
    element.style.height = `${shown.length * 52 + 8}px`;
    const chart = echarts.init(element, null, {renderer: "canvas"});
    const draw = () => {
        const theme = makeTheme(themeName());
        chart.setOption({
            animation: false, textStyle: {color: theme.ink}, aria: {enabled: true, label: {description: element.getAttribute("aria-label")}},
            grid: shown.map((_, at) => ({left: 170, right: 30, top: at * 52 + 6, height: 20})),
            tooltip: tooltipLook(theme, {trigger: "item"}),
            xAxis: shown.map(([, , unit], at) => axisLook(theme, {type: "value", gridIndex: at, scale: true, splitNumber: 5, splitLine: {show: false},
                axisLabel: {formatter: value => writeFine(value, unit), fontSize: 10.5}})),
            yAxis: shown.map(([, title], at) => axisLook(theme, {type: "category", gridIndex: at, data: [title], axisTick: {show: false}, axisLine: {show: false}})),
            series: shown.map(([key, title, unit], at) => {
                const known = samples.filter(sample => typeof sample[key] === "number"), values = known.map(sample => sample[key]).sort((a, b) => a - b);
                const middle = (values[(values.length - 1) >> 1] + values[values.length >> 1]) / 2;
                return {type: "scatter", name: title, xAxisIndex: at, yAxisIndex: at, symbolSize: 10,
                        data: known.map(sample => ({value: [sample[key], 0], number: sample.n, symbol: sample.dirty ? "diamond" : "circle",
                                                    itemStyle: {color: theme.colours[sample.dirty ? 1 : 0], opacity: 0.65}})),
                        tooltip: {formatter: point => `<b>sample ${point.data.number}</b>` + tipLine(title, writeSample(point.value[0], unit))},
                        markLine: {silent: true, symbol: "none", precision: 12, label: {show: false}, lineStyle: {color: theme.ink, type: "solid", width: 1.5}, data: [{xAxis: middle}]}};
            }),
        }, true);
    };
    draw();
    new ResizeObserver(() => chart.isDisposed() || chart.resize()).observe(element);
    document.addEventListener("themechange", () => chart.isDisposed() || draw());
}
