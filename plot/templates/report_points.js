/* Time against memory: a faint dot per sample, a solid one at the median with its interval, the Pareto front as steps. */
KINDS.points = data => ({
    rows: data.rows.map(row => [row.name, row.look]),
    choices: [["against", "memory", [["kept", "kept at the end, above baseline"], ["peak", "peak, absolute"]]]],
    switches: [["zero", "axes from zero", true], ["log", "logarithmic time", data.log], ["labels", "names", true]],
    zooms: true,
    option: (state, theme, width) => tradeOff(data, state, theme, width),
    csv: state => {
        const lines = [["row", "sample", "seconds", "kept_megabytes", "peak_megabytes"]];
        for (const row of data.rows.filter(one => !state.hidden.has(one.name))) for (const [number, ...values] of row.samples) lines.push([row.name, number, ...values]);
        return lines;
    },
});

/* Points (time, memory) that no other beats in both, by time. */
function paretoFront(points) {
    const front = [];
    for (const point of [...points].sort((a, b) => a[0] - b[0] || a[1] - b[1]))
        if (!front.length || point[1] < front[front.length - 1][1]) front.push(point);
    return front;
}

/* Bars of an interval in both directions, for a custom series of [x, y, xLow, xHigh, yLow, yHigh]. */
function drawCross(params, api, colour) {
    const at = (x, y) => api.coord([x, y]), [x, y, xLow, xHigh, yLow, yHigh] = [0, 1, 2, 3, 4, 5].map(place => api.value(place));
    const line = (from, to) => ({type: "line", shape: {x1: from[0], y1: from[1], x2: to[0], y2: to[1]}, style: {stroke: colour, lineWidth: 1.4}});
    const cap = (point, dx, dy) => line([point[0] - dx, point[1] - dy], [point[0] + dx, point[1] + dy]);
    const children = [];
    if (!Number.isNaN(xLow)) children.push(line(at(xLow, y), at(xHigh, y)), cap(at(xLow, y), 0, 4), cap(at(xHigh, y), 0, 4));
    if (!Number.isNaN(yLow)) children.push(line(at(x, yLow), at(x, yHigh)), cap(at(x, yLow), 4, 0), cap(at(x, yHigh), 4, 0));
    return {type: "group", children, silent: true};
}

/* [position, distance] of the name of each point: the first, above or below it, that is inside and touches no name before it. `points`: [x, y, text] in pixels. */
function placeNames(points, height) {
    const taken = [], tall = 16, symbol = 7;
    const places = [6, 6 + tall, 6 + 2 * tall].flatMap(distance => [["top", distance], ["bottom", distance]]);
    return points.map(([x, y, text]) => {
        const wide = 7.2 * text.length;
        const boxOf = ([position, distance]) => [x - wide / 2, position === "top" ? y - symbol - distance - tall : y + symbol + distance, wide];
        const isFree = ([left, top]) => top >= 0 && top + tall <= height
            && taken.every(other => left >= other[0] + other[2] || other[0] >= left + wide || top >= other[1] + tall || other[1] >= top + tall);
        const place = places.find(one => isFree(boxOf(one))) ?? places[0];
        taken.push(boxOf(place));
        return place;
    });
}

function tradeOff(data, state, theme, width) {
    const place = state.against === "peak" ? 3 : 2, rows = data.rows.filter(row => !state.hidden.has(row.name));
    const median = row => [row.time[0], row[state.against][0]];
    const all = rows.flatMap(row => row.samples.map(sample => [sample[1], sample[place]]));
    const times = all.map(point => point[0]).filter(time => time > 0), most = Math.max(...times, 1e-9), least = Math.min(...times, most);
    const highest = Math.max(...all.map(point => point[1]), 0.1), lowest = Math.min(...all.map(point => point[1]), highest);
    const spread = Math.max(highest - lowest, 0.02 * highest), top = state.on.zero ? highest * 1.1 : highest + 0.15 * spread;
    const bottom = state.on.zero ? Math.min(0, lowest) : lowest - 0.15 * spread, begin = state.on.log ? least / 1.4 : state.on.zero ? 0 : least - 0.1 * (most - least);
    const front = paretoFront(rows.map(median)), end = state.on.log ? most * 1.6 : state.on.zero ? most * 1.15 : most + 0.25 * (most - Math.min(...times, most));
    const steps = front.length ? [[front[0][0], top], ...front.flatMap((point, at) => at ? [[point[0], front[at - 1][1]], point] : [point]),
                                  [end, front[front.length - 1][1]]] : [];
    const tell = row => `<b>${escapeText(row.name)}</b>` + tipLine("time", writeInterval(row.time, "s")) + tipLine("kept", writeInterval(row.kept, "MB"))
        + tipLine("peak", writeInterval(row.peak, "MB"));
    const [left, right, above, below, height] = [70, 30, 18, 52, 420], wide = width - left - right, tall = height - above - below;
    const across = time => state.on.log ? Math.log(time / begin) / Math.log(end / begin) : (time - begin) / (end - begin);
    const places = placeNames(rows.map(row => [wide * across(median(row)[0]), tall * (top - median(row)[1]) / (top - bottom), row.name]), tall);
    const names = at => ({show: state.on.labels, formatter: "{a}", position: places[at][0], distance: places[at][1], color: theme.ink, fontSize: 12, textBorderColor: theme.paper, textBorderWidth: 3});
    return {
        height, grid: {left, right, top: above, bottom: below},
        xAxis: axisLook(theme, {type: state.on.log ? "log" : "value", min: begin, max: end, name: "time" + (state.on.log ? ", logarithmic" : ""),
                                axisLabel: {showMaxLabel: false, showMinLabel: state.on.zero, formatter: writeDuration}}),
        yAxis: axisLook(theme, {type: "value", name: state.against === "peak" ? "peak, MB" : "kept, MB above baseline", nameGap: 48, max: top, min: bottom,
                                axisLabel: {showMaxLabel: false, showMinLabel: state.on.zero, formatter: value => writeShort(value)}}),
        dataZoom: zoomOptions(state, 1),
        tooltip: tooltipLook(theme, {trigger: "item"}),
        series: [{type: "line", name: "Pareto front", data: steps, showSymbol: false, silent: true, lineStyle: {color: theme.faint, type: [6, 4], width: 1.3}, z: 1},
                 ...rows.flatMap((row, at) => {
                     const {colour, symbol} = theme.row(row.look), [x, y] = median(row), [xs, ys] = [row.time, row[state.against]];
                     const cross = [x, y, xs[1], xs[2], ys[1], ys[2]].map(value => value ?? NaN);
                     return [{type: "scatter", name: row.name, symbol, symbolSize: 8, itemStyle: {color: colour, opacity: 0.35}, z: 2,
                              data: row.samples.map(sample => ({value: [sample[1], sample[place]], number: sample[0]})),
                              tooltip: {formatter: point => `<b>${escapeText(row.name)}</b>, sample ${point.data.number}` + tipLine("time", writeDuration(point.value[0]))
                                        + tipLine(state.against, writeMemory(point.value[1]))}},
                             {type: "custom", name: row.name, data: [cross], renderItem: (params, api) => drawCross(params, api, colour), z: 3, silent: true},
                             {type: "scatter", name: row.name, symbol, symbolSize: 14, itemStyle: {color: colour, borderColor: theme.paper, borderWidth: 1.5}, z: 5,
                              data: [[x, y]], label: names(at), labelLayout: {moveOverlap: "shiftY"}, tooltip: {formatter: () => tell(row)}}];
                 })],
    };
}

/* "12 ms [11, 13]" */
function writeInterval(figure, unit) {
    if (!figure) return "n/a";
    const text = writeValue(figure[0], unit);
    return figure[1] === null || figure[1] === undefined ? text : `${text} [${writeValue(figure[1], unit)}, ${writeValue(figure[2], unit)}]`;
}
