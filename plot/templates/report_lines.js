/* Panels of lines and dots: latencies by percentile, micro-benchmarks, what goes back after the last free, survivors, the canary. */
KINDS.lines = data => {
    const rows = new Map(data.panels.flatMap(panel => panel.series.map(line => [line.name, line.look])));
    const isLog = data.panels.some(panel => panel.y.kind === "log");
    return {
        rows: [...rows], zooms: true,
        switches: isLog ? [["log", "logarithmic", true]] : [],
        option: (state, theme, width) => linePanels(data, state, theme, width),
        csv: state => [["panel", "line", data.panels[0].x.name, data.panels[0].y.name], ...data.panels.flatMap(panel => panel.series
            .filter(line => !state.hidden.has(line.name)).flatMap(line => line.x.map((x, at) => [panel.title, line.name, writeCsvX(panel.x, x), line.y[at]])))],
    };
};

function writeCsvX(axis, x) {
    return axis.kind === "nines" ? Number((100 * (1 - 10 ** -x)).toPrecision(12)) : x;
}

/* The axis of nines: each step to the right is a tenth of the calls before it. */
function writeNines(value) {
    const digits = value >= 1 ? Math.max(0, Math.round(value) - 2) : 0;
    return `${(100 * (1 - 10 ** -value)).toFixed(digits)}${NARROW}%`;
}

function writeX(axis, value) {
    if (axis.kind === "nines") return writeNines(value);
    if (axis.kind === "phases") return axis.names[Math.min(Math.floor(value), axis.names.length - 1)];
    return axis.unit === "n" && value >= 1000 ? writeShort(value) : writeValue(value, axis.unit);
}

function lineXAxis(one, at, inner, theme) {
    const axis = one.x, places = new Set(one.series.flatMap(line => line.x)), [only] = places.size === 1 ? places : [null];
    const base = {gridIndex: at, name: cut(axis.name, inner, 6), splitNumber: Math.max(2, Math.floor(inner / 90))};
    const labels = {formatter: value => writeX(axis, value)};
    if (axis.kind === "nines")
        return axisLook(theme, {...base, type: "value", min: 0, max: Math.max(1, axis.most) * 1.02, interval: 1, axisLabel: {formatter: value => Number.isInteger(value) ? writeNines(value) : ""}});
    if (axis.kind === "phases")
        return axisLook(theme, {...base, type: "value", min: 0, max: axis.names.length, interval: 1, nameGap: 30, splitLine: {lineStyle: {color: theme.faint, type: [2, 3]}},
                                axisLabel: {formatter: value => value < axis.names.length ? `{place|${cut(axis.names[value], inner / axis.names.length)} →}` : "", align: "left",
                                            rich: {place: {align: "left"}}}});
    if (axis.kind === "log" || axis.kind === "log2")
        return axisLook(theme, {...base, type: "log", logBase: axis.kind === "log2" ? 2 : 10, axisLabel: labels, splitLine: {show: false},
                                ...(only === null ? {min: "dataMin", max: "dataMax"} : {min: only / 2, max: only * 2})});
    return axisLook(theme, {...base, type: "value", min: "dataMin", max: "dataMax", axisLabel: {...labels, showMaxLabel: false}, splitLine: {show: false}});
}

function lineYAxis(one, at, first, state, theme) {
    const axis = one.y;
    const isLog = axis.kind === "log" && state.on.log, limits = axis.most ? {max: axis.most, interval: axis.most / 4} : {};
    if (isLog) {
        const values = one.series.flatMap(line => line.y).filter(value => value > 0);
        limits.min = 10 ** Math.floor(Math.log10(Math.min(...values)));
        limits.max = 10 ** Math.ceil(Math.log10(Math.max(...values)));
    }
    return axisLook(theme, {type: isLog ? "log" : "value", gridIndex: at, name: first ? axis.name : "", nameGap: 52, ...limits, scale: axis.from === "data",
                            splitNumber: 4, axisLabel: {formatter: value => axis.unit === "MB" ? writeShort(value) : writeValue(value, axis.unit)}});
}

/* The value of a line at x, as it is drawn between its points; null outside. */
function lineAt(line, x, isLogX, isLogY) {
    if (!line.x.length || x < line.x[0] || x > line.x[line.x.length - 1]) return null;
    let at = line.x.findIndex(value => value >= x);
    if (line.x[at] === x || at === 0) return line.y[at];
    const place = value => isLogX ? Math.log(value) : value, from = line.y[at - 1], to = line.y[at];
    const share = (place(x) - place(line.x[at - 1])) / (place(line.x[at]) - place(line.x[at - 1]));
    return isLogY && from > 0 && to > 0 ? from * (to / from) ** share : from + share * (to - from);
}

function linePanels(data, state, theme, width) {
    const columns = Math.max(1, Math.min(data.columns, Math.floor(width / (data.columns > 2 ? 300 : 380)), data.panels.length));
    const left = 74, gap = 82, panel = data.panels.length > 6 ? 140 : data.columns === 1 && data.panels.length > 1 ? 90 : 200, step = panel + 80;
    const inner = (width - left - 16 - (columns - 1) * gap) / columns;
    const grids = data.panels.map((one, at) => ({left: left + (at % columns) * (inner + gap), top: 26 + Math.floor(at / columns) * step, width: inner, height: panel}));
    const tell = shown => {
        const one = data.panels[shown[0].axisIndex], x = shown[0].axisValue, isLogX = one.x.kind.startsWith("log");
        const near = line => line.x.reduce((best, value, at) => Math.abs(value - x) < Math.abs(line.x[best] - x) ? at : best, 0);
        const lines = one.series.filter(line => !state.hidden.has(line.name) && line.x.length).map(line => [line, line.bare || line.dots
            ? line.y[near(line)] : lineAt(line, x, isLogX, one.y.kind === "log")]).filter(([line, y]) => y !== null && (!line.bare || Math.abs(line.x[near(line)] - x) < 1));
        lines.sort((a, b) => b[1] - a[1]);
        return `<b>${escapeText(one.title)}</b> · ${escapeText(one.x.kind === "nines" ? `${(100 * (1 - 10 ** -x)).toPrecision(Math.max(3, Math.ceil(x) + 2))} %` : writeX(one.x, x))}`
            + lines.map(([line, y]) => tipLine(line.name, writeValue(y, one.y.unit), theme.row(line.look).colour) + (line.told ? `<small>${escapeText(line.told)}</small>` : "")).join("");
    };
    return {
        height: Math.ceil(data.panels.length / columns) * step, grid: grids,
        title: data.panels.map((one, at) => ({left: grids[at].left, top: grids[at].top - 22, padding: 0, text: cut(one.title, inner, 7.4), textStyle: {color: theme.ink, fontSize: 13, fontWeight: 600}})),
        xAxis: data.panels.map((one, at) => lineXAxis(one, at, inner, theme)),
        yAxis: data.panels.map((one, at) => lineYAxis(one, at, at % columns === 0, state, theme)),
        dataZoom: zoomOptions(state, data.panels.length),
        tooltip: tooltipLook(theme, {trigger: "axis", axisPointer: {type: "line", snap: false}, formatter: tell}),
        series: data.panels.flatMap((one, at) => one.series.filter(line => !state.hidden.has(line.name)).map(line => {
            const {colour, dash, symbol} = theme.row(line.look);
            const base = {name: line.name, xAxisIndex: at, yAxisIndex: at, data: line.x.map((x, place) => [x, line.y[place]]), emphasis: {disabled: true}};
            if (line.bare) return {...base, type: "scatter", symbol, symbolSize: line.look === 1 ? 9 : 6, itemStyle: {color: colour, borderColor: theme.paper, borderWidth: 0.5}};
            return {...base, type: "line", symbol, symbolSize: 6, showSymbol: Boolean(line.dots), showAllSymbol: true,
                    lineStyle: {color: colour, width: line.dashed ? 1.2 : 1.8, type: line.dashed ? [5, 4] : dash}, itemStyle: {color: colour}};
        })),
    };
}
