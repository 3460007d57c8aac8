/* Memory over time: a panel per row with its phases, or all rows in one. Values between the points of a line are those on the line. */
const SERIES = [["resident", "resident (RSS)", true], ["live", "live bytes", true], ["objects", "object bytes", true], ["uss", "USS", true],
                ["lazy", "LazyFree", true], ["others", "other samples", true]];

KINDS.curves = data => {
    for (const row of data.rows) {
        for (const name of ["resident", "live", "objects"]) row[name] &&= expandLine(data, row[name]);
        row.others = (row.others ?? []).map(([number, ...line]) => [number, expandLine(data, line)]);
        row.phases ??= [];
    }
    const rows = data.rows.filter(row => row.resident);
    const has = {resident: true, live: rows.some(row => row.live), objects: rows.some(row => row.objects), others: data.allSamples,
                 uss: rows.some(row => row.phases.some(phase => phase[4] !== null)), lazy: rows.some(row => row.phases.some(phase => phase[5] > 0))};
    return {
        rows: data.rows.map(row => [row.name, row.look]),
        switches: SERIES.filter(([key]) => has[key]),
        choices: [["mode", "", [["panels", "a panel per row"], ["overlay", "all rows in one"]]]],
        zooms: true, redrawsOnZoom: true,
        option: (state, theme, width) => state.mode === "overlay" ? overlayCurves(data, state, theme, width) : panelCurves(data, state, theme, width),
        csv: state => curvesCsv(data, state),
    };
};

/* Differences in whole units become [seconds, MB]. */
function expandLine(data, [times, values]) {
    let t = 0, mb = 0;
    return times.map((step, at) => [(t += step) * data.tUnit, (mb += values[at]) * data.mbUnit]);
}

/* The value of a line at a time, null outside of it. */
function valueAt(line, t) {
    if (!line?.length || t < line[0][0] || t > line[line.length - 1][0]) return null;
    let low = 0, high = line.length - 1;
    while (high - low > 1) {
        const middle = (low + high) >> 1;
        if (line[middle][0] <= t) low = middle;
        else high = middle;
    }
    const [t0, v0] = line[low], [t1, v1] = line[high];
    return t1 > t0 ? v0 + (v1 - v0) * (t - t0) / (t1 - t0) : v1;
}

function phaseAt(row, t) {
    let found = null;
    for (const phase of row.phases) if (t >= phase[1]) found = phase;
    return found;
}

function shownTime(data, state) {
    const [start, end] = state.zoom ?? [0, 100];
    return [data.longest * start / 100, data.longest * end / 100];
}

/* Stripes of phases; a name where its stripe has room for it. */
function phaseStripes(row, data, state, theme, width) {
    const [from, to] = shownTime(data, state);
    return {silent: true, label: {position: "insideTop", color: theme.faint, fontSize: 10.5, distance: 3}, data: row.phases.map((phase, index) => {
        const begin = phase[1], end = row.phases[index + 1]?.[1] ?? row.resident[row.resident.length - 1][0];
        const pixels = (Math.min(end, to) - Math.max(begin, from)) / (to - from) * width;
        const name = pixels > 6.2 * phase[0].length ? phase[0] : pixels > 30 ? cut(phase[0], pixels, 6.2) : "";
        return [{name, xAxis: begin, itemStyle: {color: index % 2 ? "transparent" : theme.stripe}}, {xAxis: end}];
    })};
}

function rowSeries(row, at, data, state, theme, width, inPanel) {
    const look = theme.row(row.look), base = {type: "line", xAxisIndex: at, yAxisIndex: at, showSymbol: false, silent: true, emphasis: {disabled: true}};
    const series = [];
    const area = (name, line, colour) => {
        if (state.on[name] && line) series.push({...base, name: row.name, data: line, lineStyle: {width: inPanel ? 0 : 1, color: colour, type: "dotted"},
                                                 itemStyle: {color: colour}, ...(inPanel ? {areaStyle: {color: colour, opacity: 1}} : {})});
    };
    if (inPanel) {
        area("live", row.live, theme.live);
        area("objects", row.objects, theme.object);
    }
    if (state.on.others) for (const [, line] of row.others)
        series.push({...base, name: row.name, data: line, lineStyle: {width: 0.8, color: look.colour, opacity: 0.45}, itemStyle: {color: look.colour}});
    series.push({...base, name: row.name, id: `${row.name}-${at}-main`, data: state.on.resident ? row.resident : row.resident.map(([t]) => [t, null]),
                 lineStyle: {width: 2.2, color: look.colour, type: inPanel ? "solid" : look.dash}, itemStyle: {color: look.colour}, z: 4,
                 ...(inPanel ? {markArea: phaseStripes(row, data, state, theme, width)} : {})});
    const dots = (name, place, symbol, colour) => {
        if (state.on[name]) series.push({type: "scatter", name: row.name, xAxisIndex: at, yAxisIndex: at, symbol, symbolSize: 8, z: 5, silent: true,
            itemStyle: {color: theme.paper, borderColor: colour, borderWidth: 1.8},
            data: row.phases.filter(phase => phase[place] !== null && (name !== "lazy" || phase[place] > 0)).map(phase => [phase[2], phase[place]])});
    };
    dots("uss", 4, "diamond", look.colour);
    dots("lazy", 5, "triangle", theme.name === "dark" ? "#F2B632" : "#A66F00");
    return series;
}

/* What the mouse is over: each series of a row at that time. */
function tellRow(row, t, state, theme, head) {
    const phase = phaseAt(row, t), colour = theme.row(row.look).colour;
    let text = head ? `<b>${escapeText(row.name)}</b> · ${escapeText(writeDuration(t))}${phase ? ` · ${escapeText(phase[0])}` : ""}` : "";
    const add = (name, value, dot) => { if (value !== null && value !== undefined) text += tipLine(name, writeMemory(value), dot); };
    add(head ? "resident" : row.name + (phase ? ` (${phase[0]})` : ""), valueAt(row.resident, t), colour);
    if (!head) return text;
    if (state.on.live) add("live bytes", valueAt(row.live, t), theme.live);
    if (state.on.objects) add("object bytes", valueAt(row.objects, t), theme.object);
    if (phase && state.on.uss) add(`USS at the end of ${phase[0]}`, phase[4]);
    if (phase && state.on.lazy && phase[5]) add(`LazyFree at the end of ${phase[0]}`, phase[5]);
    return text;
}

function curveAxes(data, state, theme, grids, unitHeight) {
    const [from, to] = shownTime(data, state);
    return {
        xAxis: grids.map((grid, at) => axisLook(theme, {type: "value", gridIndex: at, min: 0, max: data.longest, splitLine: {show: false},
            axisLabel: {showMaxLabel: false, formatter: value => to - from < 0.9995 ? writeDuration(value) : writeShort(value, 4) + NARROW + "s"}})),
        yAxis: grids.map((grid, at) => axisLook(theme, {type: "value", gridIndex: at, max: data.highest * 1.1, min: value => Math.min(0, value.min),
            splitNumber: Math.max(2, Math.round(unitHeight / 45)), axisLabel: {formatter: value => value > data.highest * 1.09 ? "" : writeShort(value)},
            name: at === 0 || grid.first ? "MB above baseline" : "", nameGap: 40})),
    };
}

function panelCurves(data, state, theme, width) {
    const rows = data.rows.filter(row => !state.hidden.has(row.name));
    const columns = width > 760 && rows.length > 1 ? 2 : 1, panel = 150, step = 206, left = 62, gap = 66;
    const inner = (width - left - 14 - (columns - 1) * gap) / columns;
    const grids = rows.map((row, at) => ({left: left + (at % columns) * (inner + gap), top: 26 + Math.floor(at / columns) * step, width: inner, height: panel,
                                          first: at % columns === 0}));
    const titles = rows.map((row, at) => ({left: grids[at].left, top: grids[at].top - 24, padding: 0, textStyle: {color: theme.ink, fontSize: 13, fontWeight: 600},
        text: cut(row.name + (row.resident ? ` · gives back ${row.back}` : " · n/a"), inner, 8)}));
    const reasons = rows.flatMap((row, at) => row.resident ? [] : [{type: "text", left: grids[at].left + 10, top: grids[at].top + 30, silent: true,
        style: {text: row.reason, width: inner - 20, overflow: "break", fill: theme.faint, fontSize: 12}}]);
    return {
        height: Math.max(1, Math.ceil(rows.length / columns)) * step, grid: grids, title: titles, graphic: reasons, ...curveAxes(data, state, theme, grids, panel),
        axisPointer: {link: [{xAxisIndex: "all"}], lineStyle: {color: theme.faint}},
        dataZoom: zoomOptions(state, rows.length || 1),
        tooltip: tooltipLook(theme, {trigger: "axis", axisPointer: {type: "line", snap: false}, formatter: shown => {
            const row = rows[shown[0].axisIndex];
            return row?.resident ? tellRow(row, shown[0].axisValue, state, theme, true) : "";
        }}),
        series: rows.flatMap((row, at) => row.resident ? rowSeries(row, at, data, state, theme, inner, true) : []),
    };
}

function overlayCurves(data, state, theme, width) {
    const rows = data.rows.filter(row => !state.hidden.has(row.name) && row.resident);
    const grid = {left: 62, top: 16, width: width - 62 - 20, height: 400, first: true};
    return {
        height: 470, grid: [grid], ...curveAxes(data, state, theme, [grid], 400), dataZoom: zoomOptions(state, 1),
        tooltip: tooltipLook(theme, {trigger: "axis", axisPointer: {type: "line", snap: false}, formatter: shown => {
            const t = shown[0].axisValue, told = rows.filter(row => valueAt(row.resident, t) !== null);
            told.sort((a, b) => valueAt(b.resident, t) - valueAt(a.resident, t));
            return `<b>${escapeText(writeDuration(t))}</b>` + told.map(row => tellRow(row, t, state, theme, false)).join("");
        }}),
        series: rows.flatMap(row => rowSeries(row, 0, data, state, theme, grid.width, false)),
    };
}

function curvesCsv(data, state) {
    const lines = [["row", "sample", "series", "seconds", "megabytes"]];
    for (const row of data.rows.filter(one => one.resident && !state.hidden.has(one.name))) {
        const add = (sample, name, line) => { for (const [t, mb] of line ?? []) lines.push([row.name, sample, name, +t.toPrecision(9), +mb.toPrecision(9)]); };
        for (const name of ["resident", "live", "objects"]) add(row.sample, name, row[name]);
        for (const phase of row.phases) {
            lines.push([row.name, row.sample, `USS at the end of ${phase[0]}`, phase[2], phase[4]]);
            lines.push([row.name, row.sample, `LazyFree at the end of ${phase[0]}`, phase[2], phase[5]]);
        }
        for (const [number, line] of row.others) add(number, "resident", line);
    }
    return lines;
}
