/* An address map: arenas across, their pools upwards, one phase at a time; a stretch of equal pools is one rectangle. */
const MAP_MARKS = {1: "free", 2: "between", 3: "full", 4: "pin"};
const MAP_STATES = {1: "free", 2: "neither pinned nor full", 3: "full: 90 % or more of its room in use", 4: "pinned: less than 10 % of its room in use"};

KINDS.map = data => ({
    rows: [], zooms: true,
    choices: [["phase", "after", [...data.phases.keys()].sort((a, b) => (b === data.telling) - (a === data.telling) || a - b).map(at => [at, `${data.phases[at].name} · ${data.phases[at].told}`])]],
    option: (state, theme, width) => addressMap(data, state, theme, width),
    csv: () => [["phase", "column", "first_pool_row", "rows", "block_bytes", "fill_of_8"], ...data.phases.flatMap(phase => mapItems(phase.stretches, 5).map(
        ([column, row, length, kind, level]) => [phase.name, column, row, length, kind === 0 ? 0 : data.sizes[kind - 1] ?? "other", level]))],
});

function mapItems(flat, width) {
    return Array.from({length: flat.length / width}, (_, at) => flat.slice(at * width, (at + 1) * width));
}

function mixColours(colour, paper, share) {
    const parts = text => [1, 3, 5].map(at => parseInt(text.slice(at, at + 2), 16));
    const [a, b] = [parts(colour), parts(paper)];
    return `#${a.map((part, at) => Math.round(part * share + b[at] * (1 - share)).toString(16).padStart(2, "0")).join("")}`;
}

/* Of a pool: its class by hue, stronger the fuller, but strong with a single block in use. */
function poolColour(data, theme, kind, level) {
    if (kind === 0) return theme.free;
    const hues = [0, 1, 2, 3, 5].map(look => theme.colours[look]);
    return mixColours(kind > data.sizes.length ? theme.missing : hues[(kind - 1) % hues.length], theme.paper, 0.6 + 0.4 * level / data.levels);
}

function addressMap(data, state, theme, width) {
    const phase = data.phases[state.phase], marks = Math.max(1.5, data.rows / 14), columns = Math.max(data.columns, 24);
    const kinds = [...data.sizes.map((size, at) => [at + 1, `blocks of ${size} B`]), [data.sizes.length + 1, "other sizes"], [0, "free pool"]];
    const present = new Set(data.phases.flatMap(one => mapItems(one.stretches, 5).map(item => item[3])));
    const pin = theme.ink, markColour = {free: theme.free, between: mixColours(theme.missing, theme.paper, 0.6), full: theme.missing, pin};
    const rectangle = (params, api, x, y, w, h, fill) => {
        const from = api.coord([x, y + h]), to = api.coord([x + w, y]);
        const clipped = echarts.graphic.clipRectByRect({x: from[0], y: from[1], width: Math.max(to[0] - from[0], 0.7), height: to[1] - from[1]},
            {x: params.coordSys.x, y: params.coordSys.y, width: params.coordSys.width, height: params.coordSys.height});
        return clipped && {type: "rect", shape: clipped, style: {fill}};
    };
    const tell = point => {
        if (point.seriesName === "marks") return tipLine(`arena ${writeNumber(point.value[0] * data.arenasPerColumn, 0)}`, MAP_STATES[point.value[1]]);
        const [column, row, length, kind, level] = point.value;
        return tipLine(`arena ${writeNumber(column * data.arenasPerColumn, 0)}`, `pools ${row * data.poolsPerRow} to ${(row + length) * data.poolsPerRow - 1}`)
            + tipLine(kinds.find(one => one[0] === kind)[1], kind === 0 ? "no block in use" : `up to ${writeShort(100 * level / data.levels)} % in use`);
    };
    return {
        height: 390, grid: {left: 60, right: 16, top: 40, bottom: 48},
        legend: {top: 0, left: 0, selectedMode: false, icon: "rect", textStyle: {color: theme.ink, fontSize: 12},
                 data: [...kinds.filter(([kind]) => present.has(kind)).map(([, name]) => name), "mark above: arena pinned by few blocks"]},
        xAxis: axisLook(theme, {type: "value", min: 0, max: columns, name: "arena, by ascending address", splitLine: {show: false},
                                axisLabel: {formatter: value => value > data.columns ? "" : writeNumber(value * data.arenasPerColumn, 0)}}),
        yAxis: axisLook(theme, {type: "value", min: 0, max: data.rows + 2 * marks, name: "pool", nameGap: 38, splitLine: {show: false}, interval: Math.max(1, data.rows / 4),
                                axisLabel: {formatter: value => value > data.rows ? "" : writeNumber(value * data.poolsPerRow, 0)}}),
        dataZoom: zoomOptions(state, 1),
        tooltip: tooltipLook(theme, {trigger: "item", formatter: tell}),
        series: [
            {type: "custom", name: "pools", clip: true, progressive: 0, encode: {x: 0, y: 1}, data: mapItems(phase.stretches, 5),
             renderItem: (params, api) => rectangle(params, api, api.value(0), api.value(1), 1, api.value(2), poolColour(data, theme, api.value(3), api.value(4)))},
            {type: "custom", name: "marks", clip: true, progressive: 0, encode: {x: 0}, data: mapItems(phase.marks, 2), renderItem: (params, api) => {
                const kind = MAP_MARKS[api.value(1)];
                return rectangle(params, api, api.value(0), data.rows + marks * 0.6, 1, kind === "pin" ? marks * 1.3 : marks * 0.4, markColour[kind]);
            }},
            ...kinds.filter(([kind]) => present.has(kind)).map(([kind, name]) => ({type: "bar", name, data: [], itemStyle: {color: poolColour(data, theme, kind, data.levels)}})),
            {type: "bar", name: "mark above: arena pinned by few blocks", data: [], itemStyle: {color: pin}},
        ],
    };
}
