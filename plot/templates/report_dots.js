/* Phases, or ways of giving back: a panel for each, a line per row; a faint dot per sample, a solid one at the median, a bar over its interval. */
KINDS.dots = data => ({
    rows: data.rows,
    choices: [["metric", "figure", data.metrics.map(([, label], at) => [at, label]).filter(([at]) => data.values[at].some(line => line.some(Boolean)))]],
    zooms: false,
    option: (state, theme, width) => phaseDots(data, state, theme, width),
    csv: state => {
        const lines = [[data.panel ?? "phase", "row", "figure", "unit", "median", "low", "high", "values"]];
        data.metrics.forEach(([, label, unit], metric) => data.phases.forEach((phase, at) => data.rows.forEach(([row], place) => {
            const found = data.values[metric][at][place];
            if (found && !state.hidden.has(row)) lines.push([phase, row, label, unit, ...found[0], found[1].join(" ")]);
        })));
        return lines;
    },
});

function phaseDots(data, state, theme, width) {
    const [, label, unit] = data.metrics[state.metric], values = data.values[state.metric];
    const shown = data.rows.map(([name, look], at) => ({name, look, at})).filter(row => !state.hidden.has(row.name)).reverse();
    const phases = data.phases.map((name, at) => ({name, at})).filter(phase => shown.some(row => values[phase.at][row.at]));
    const left = Math.min(Math.max(60, 7.2 * Math.max(0, ...shown.map(row => row.name.length)) + 14), width > 700 ? 260 : 120);
    const columns = Math.max(1, Math.min(phases.length, Math.floor((width - left) / 190)));
    const inner = (width - left - 20 - (columns - 1) * 26) / columns, panel = 24 * shown.length + 6, step = panel + 74;
    const grids = phases.map((phase, at) => ({left: left + (at % columns) * (inner + 26), top: 26 + Math.floor(at / columns) * step, width: inner, height: panel}));
    return {
        height: Math.max(1, Math.ceil(phases.length / columns)) * step, grid: grids,
        title: phases.map((phase, at) => ({left: grids[at].left, top: grids[at].top - 22, padding: 0, text: cut(phase.name, inner, 8), textStyle: {color: theme.ink, fontSize: 13, fontWeight: 600}})),
        xAxis: phases.map((phase, at) => axisLook(theme, {type: "value", gridIndex: at, scale: false, splitNumber: Math.max(2, Math.floor(inner / 75)),
            name: at >= phases.length - columns ? cut(label, inner, 6) : "", axisLabel: {formatter: value => writeValue(value, unit), fontSize: 10.5, alignMinLabel: "left", alignMaxLabel: "right"}})),
        yAxis: phases.map((phase, at) => axisLook(theme, {type: "category", gridIndex: at, data: shown.map(row => row.name), axisTick: {show: false},
            axisLabel: {show: at % columns === 0, interval: 0, formatter: name => cut(name, left - 14, 7), fontSize: 12}, splitLine: {show: true, lineStyle: {color: theme.line, opacity: 0.5}}})),
        tooltip: tooltipLook(theme, {trigger: "item"}),
        series: phases.flatMap((phase, at) => shown.flatMap((row, place) => {
            const found = values[phase.at][row.at];
            if (!found) return [];
            const {colour, symbol} = theme.row(row.look), [median, low, high] = found[0];
            const base = {xAxisIndex: at, yAxisIndex: at, name: row.name}, tip = {formatter: () => `<b>${escapeText(row.name)}</b> · ${escapeText(phase.name)}`
                + tipLine(label, writeInterval(found[0], unit)) + tipLine("samples", found[1].map(value => writeValue(value, unit)).slice(0, 12).join(" · "))};
            return [{...base, type: "scatter", symbol, symbolSize: 6, itemStyle: {color: colour, opacity: 0.35}, data: found[1].map(value => [value, place]), tooltip: tip},
                    {...base, type: "custom", silent: true, data: [[median, place, low ?? NaN, high ?? NaN, NaN, NaN]], renderItem: (params, api) => drawCross(params, api, colour), z: 3},
                    {...base, type: "scatter", symbol, symbolSize: 10, itemStyle: {color: colour, borderColor: theme.paper, borderWidth: 1}, data: [[median, place]], z: 4, tooltip: tip}];
        })),
    };
}
