/* Panels of stacked bars, a bar per row: the system-call ledger, who holds memory back, the census of arenas. */
const PART_LOOKS = {
    mmap: 0, brk: 6, mprotect: 3, mremap: 2, munmap: 1, madvise: 5, unused: "free",
    requested: "ink", rounding: "object", holes: 6, held: 1, pinned: 1, between: 5, full: 0, free: "free",
};

KINDS.bars = data => {
    const rows = [...new Set(data.panels.flatMap(panel => panel.rows))];
    return {
        rows: rows.length > 1 ? rows.map(name => [name]) : [], zooms: false,
        option: (state, theme, width) => barPanels(data, state, theme, width),
        csv: state => [["panel", "row", "part", "direction", data.unit, "told"], ...data.panels.flatMap(panel => panel.series.flatMap(part => panel.rows.flatMap((row, at) =>
            state.hidden.has(row) || !part.values[at] ? [] : [[panel.title, row, part.name, part.what, part.values[at], panel.told[at]]])))],
    };
};

function partColour(key, theme) {
    const look = PART_LOOKS[key];
    return typeof look === "number" ? theme.colours[look] : look === "ink" ? theme.faint : theme[look];
}

function barPanels(data, state, theme, width) {
    const names = data.panels.flatMap(panel => panel.rows);
    const left = Math.min(Math.max(60, 7.2 * Math.max(...names.map(name => name.length)) + 14), width > 700 ? 260 : 120), inner = width - left - 30;
    const panels = data.panels.map(panel => ({...panel, places: panel.rows.map((name, at) => at).filter(at => !state.hidden.has(panel.rows[at]))}));
    const parts = new Map(data.panels.flatMap(panel => panel.series.map(part => [part.name, part])));
    const legendLines = Math.ceil([...parts.keys()].reduce((sum, name) => sum + 7 * name.length + 46, 0) / (width - 20));
    let top = 8 + 24 * legendLines + 26;
    const grids = panels.map(panel => {
        const height = Math.max(20, 24 * panel.places.length), grid = {left, width: inner, top, height};
        top += height + (data.signed || data.unit === "arenas" ? 52 : 62);
        return grid;
    });
    const [least, most] = barLimits(data, state);
    const last = panels.length - 1;
    const decal = hatched => hatched ? {decal: {symbol: "rect", dashArrayX: [1, 0], dashArrayY: [2, 4], rotation: -Math.PI / 4, color: theme.paper}} : {};
    return {
        height: top - 6, grid: grids,
        legend: {type: "plain", top: 0, left: 0, itemGap: 14, selectedMode: false, textStyle: {color: theme.ink, fontSize: 12}, icon: "rect", data: [...parts.keys()]},
        title: panels.map((panel, at) => ({left: grids[at].left, top: grids[at].top - 20, padding: 0, text: panel.title, textStyle: {color: theme.ink, fontSize: 13, fontWeight: 600}})),
        xAxis: panels.map((panel, at) => axisLook(theme, {type: "value", gridIndex: at, min: least, max: most, minInterval: data.unit === "arenas" ? 1 : 0, name: at === last ? data.axis : "",
            axisLabel: {showMinLabel: least === 0, showMaxLabel: false, formatter: value => writeShort(Math.abs(value))}})),
        yAxis: panels.map((panel, at) => axisLook(theme, {type: "category", gridIndex: at, inverse: true, data: panel.places.map(place => panel.rows[place]), axisTick: {show: false},
            axisLine: {onZero: false, lineStyle: {color: theme.faint}}, axisLabel: {interval: 0, fontSize: 12, margin: 8, formatter: name => cut(name, left - 14, 7)}, splitLine: {show: false}})),
        tooltip: tooltipLook(theme, {trigger: "axis", axisPointer: {type: "shadow"}, formatter: shown => tellBar(data, panels[shown[0].axisIndex], shown[0].dataIndex, theme)}),
        series: panels.flatMap((panel, at) => panel.series.map(part => ({
            type: "bar", name: part.name, stack: `${at}`, stackStrategy: "samesign", xAxisIndex: at, yAxisIndex: at, barWidth: "66%", emphasis: {disabled: true},
            itemStyle: {color: partColour(part.key, theme), ...decal(part.hatched)}, data: panel.places.map(place => part.values[place]),
            markLine: {silent: true, symbol: "none", label: {show: false}, lineStyle: {color: theme.faint, type: "solid", width: 1}, data: [{xAxis: 0}]},
        }))),
    };
}

/* Of the axis, all panels alike: what is surely memory decides, so that address space alone does not make the rest too small. */
function barLimits(data, state) {
    let least = 0, most = 0, cutOff = false;
    for (const panel of data.panels) panel.rows.forEach((row, at) => {
        if (state.hidden.has(row)) return;
        const sum = positive => panel.series.filter(part => part.key !== "unused" && (part.values[at] > 0) === positive).reduce((all, part) => all + part.values[at], 0);
        most = Math.max(most, sum(true));
        least = Math.min(least, sum(false));
        cutOff ||= panel.series.some(part => part.key === "unused" && part.values[at] < 0);
    });
    if (cutOff) least = Math.min(least, -0.25 * Math.max(most, -least));
    const step = 10 ** Math.floor(Math.log10(Math.max(most, -least, 1e-3))) / 4;
    return [-Math.ceil(-least * 1.02 / step) * step, Math.ceil(most * 1.02 / step) * step || step];
}

function tellBar(data, panel, place, theme) {
    const at = panel.places[place];
    if (at === undefined) return "";
    return `<b>${escapeText(panel.rows[at])}</b> · ${escapeText(panel.title)}`
        + panel.series.filter(part => part.values[at]).map(part => tipLine(part.name + (part.what ? `, ${part.what}` : ""),
            writeValue(Math.abs(part.values[at]), data.unit), partColour(part.key, theme))).join("") + `<div>${escapeText(panel.told[at])}</div>`;
}
