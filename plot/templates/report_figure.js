/*
 * A chart of the page: drawn when it is first seen, with its tools, its ways to be taken away, and its picture in print. What
 * kind of chart it is, a drawer says: KINDS[kind] is a function of the data that returns
 *   {rows: [[name, look]], switches: [[key, label, on]], choices: [[key, label, [[value, text]]]], zooms,
 *    option(state, theme, width) -> ECharts option with `height`, csv(state) -> lines}.
 */
const KINDS = {};
const figures = [];
const PRINT_WIDTH = 1000;

class ChartFigure {
    constructor(element) {
        this.element = element;
        this.title = element.querySelector("h4").textContent;
        this.plot = element.querySelector(".plot");
        this.tools = element.querySelector(".tools");
        this.state = {hidden: new Set(), on: {}, zoom: null};
        this.chart = null;
    }

    /* Data and library, from which all else is synchronous. */
    async load() {
        this.loading ??= Promise.all([unpack(`${this.element.id}-data`), loadLibrary()]).then(([data]) => {
            this.drawer = KINDS[this.element.dataset.kind](data);
            for (const [key, , on] of this.drawer.switches ?? []) this.state.on[key] = on;
            for (const [key, , values] of this.drawer.choices ?? []) this.state[key] = values[0][0];
            Object.assign(this.state, this.drawer.start ?? {});
        });
        return this.loading;
    }

    async show() {
        try {
            await this.load();
        } catch (error) {
            this.plot.classList.add("failed");
            this.plot.textContent = `This chart could not be drawn: ${error.message}. The folder figures beside this page has it as a picture.`;
            console.error(error);
            return;
        }
        if (this.chart) return;
        const option = this.option();
        this.plot.style.height = `${option.height}px`;
        this.letWheelPass();
        this.chart = echarts.init(this.plot, null, {renderer: "canvas"});
        this.draw(option);
        this.buildTools();
        this.chart.on("datazoom", () => this.keepZoom());
        this.chart.getZr().on("dblclick", () => this.zoomTo(null));
        this.armDrag();
        new ResizeObserver(() => this.resize()).observe(this.plot);
    }

    option(theme = makeTheme(themeName()), width = this.plot.clientWidth) {
        const option = this.drawer.option(this.state, theme, width);
        return {animation: false, backgroundColor: "transparent", textStyle: {color: theme.ink, fontFamily: "system-ui, DejaVu Sans, sans-serif"},
                aria: {enabled: true, label: {description: this.plot.getAttribute("aria-label")}}, ...option};
    }

    draw(option = this.option()) {
        if (!this.chart) return;
        if (this.plot.clientHeight !== option.height) {
            this.plot.style.height = `${option.height}px`;
            this.chart.resize();
        }
        if (this.drawer.zooms) option.toolbox = {show: true, itemSize: 0, top: -100, feature: {dataZoom: {yAxisIndex: "none", filterMode: "none"}}};
        this.chart.setOption(withoutHeight(option), true);
        this.armDrag();
    }

    resize() {
        if (!this.chart || !this.plot.clientWidth || this.chart.getWidth() === this.plot.clientWidth) return;
        this.chart.resize();
        this.draw();
    }

    /* The wheel without Ctrl is the page's: ECharts, which would not zoom by it, would keep it all the same. */
    letWheelPass() {
        for (const kind of ["wheel", "mousewheel"])
            this.plot.addEventListener(kind, event => { if (!event.ctrlKey) event.stopPropagation(); }, {capture: true, passive: true});
    }

    /* Dragging marks the stretch that is zoomed to. */
    armDrag() {
        if (this.drawer.zooms)
            this.chart.dispatchAction({type: "takeGlobalCursor", key: "dataZoomSelect", dataZoomSelectActive: true});
    }

    keepZoom() {
        const zoom = this.chart.getOption().dataZoom?.[0];
        if (!zoom) return;
        this.state.zoom = zoom.start > 0.01 || zoom.end < 99.99 ? [zoom.start, zoom.end] : null;
        this.element.dataset.zoom = this.state.zoom ? this.state.zoom.map(at => at.toFixed(2)).join(" ") : "";
        clearTimeout(this.redrawing);
        if (this.drawer.redrawsOnZoom) this.redrawing = setTimeout(() => this.draw(), 120);
    }

    /* [from, to] in percent of the whole; null: the whole. */
    zoomTo(zoom) {
        if (!this.drawer.zooms) return;
        const [start, end] = zoom ?? [0, 100];
        this.chart.dispatchAction({type: "dataZoom", dataZoomIndex: 0, start, end});
        this.keepZoom();
    }

    zoomBy(factor, shift = 0) {
        const [start, end] = this.state.zoom ?? [0, 100];
        const width = Math.min(100, Math.max(0.1, (end - start) * factor));
        const middle = (start + end) / 2 + shift * (end - start);
        const from = Math.min(Math.max(0, middle - width / 2), 100 - width);
        this.zoomTo([from, from + width]);
    }

    buildTools() {
        const {rows, switches, choices, zooms} = this.drawer;
        const named = `${this.title}: `;
        const button = (text, label, action) => make("button", {type: "button", "aria-label": named + label, title: label, onclick: action}, text);
        this.tools.append(...(choices ?? []).map(choice => this.makeChoice(choice)), ...(switches ?? []).map(one => this.makeSwitch(one)));
        if (zooms) {
            this.tools.append(button("+", "zoom in", () => this.zoomBy(0.5)), button("−", "zoom out", () => this.zoomBy(2)),
                              button("◀", "earlier", () => this.zoomBy(1, -0.25)), button("▶", "later", () => this.zoomBy(1, 0.25)),
                              button("Whole", "show the whole", () => this.zoomTo(null)));
        }
        this.tools.append(make("span", {class: "gap"}), button("SVG", "download as SVG", () => this.saveSvg()),
                          button("PNG", "download as PNG", () => this.savePng()), button("CSV", "download the data as CSV", () => this.saveCsv()));
        if (rows?.length) this.tools.append(this.makeRows(rows));
    }

    makeSwitch([key, label, on]) {
        return make("label", {}, make("input", {type: "checkbox", checked: on, name: key, onchange: event => {
            this.state.on[key] = event.target.checked;
            this.draw();
        }}), label);
    }

    makeChoice([key, label, values]) {
        const select = make("select", {name: key, onchange: event => {
            this.state[key] = event.target.value;
            this.state.zoom = null;
            this.draw();
        }}, ...values.map(([value, text]) => make("option", {value, selected: String(value) === String(this.state[key])}, text)));
        return make("label", {}, label, select);
    }

    /* A box for each row; a double click, or Alt with it, leaves that row alone. */
    makeRows(rows) {
        const boxes = rows.map(([name, look]) => {
            const box = make("input", {type: "checkbox", checked: true, name: "row", onchange: () => {
                if (box.checked) this.state.hidden.delete(name);
                else this.state.hidden.add(name);
                this.draw();
            }});
            const label = make("label", {class: "row"}, box, look === undefined ? "" : drawSwatch(look), name);
            if (look !== undefined) document.addEventListener("themechange", () => label.querySelector("svg").replaceWith(drawSwatch(look)));
            return [name, box, label];
        });
        const all = make("button", {type: "button", "aria-label": `${this.title}: all rows, or none`, onclick: () => {
            const show = boxes.some(([, box]) => !box.checked);
            for (const [name, box] of boxes) {
                box.checked = show;
                if (show) this.state.hidden.delete(name);
                else this.state.hidden.add(name);
            }
            this.draw();
        }}, "all / none");
        return make("fieldset", {}, make("legend", {}, "Rows"), ...boxes.map(([, , label]) => label), boxes.length > 2 ? all : "");
    }

    get fileName() {
        const chapter = this.element.closest(".chapter")?.querySelector("h3").textContent ?? "";
        return fileName(`${this.title}-${chapter}`);
    }

    /* As markup, in the light: what is taken away is put on white paper. */
    drawSvg(width) {
        const theme = makeTheme("light"), option = this.option(theme, width);
        const chart = echarts.init(null, null, {renderer: "svg", ssr: true, width, height: option.height});
        chart.setOption({...withoutHeight(option), backgroundColor: "#ffffff", dataZoom: (option.dataZoom ?? []).map(zoom => ({...zoom, show: false}))});
        const svg = chart.renderToSVGString();
        chart.dispose();
        return svg;
    }

    saveSvg() {
        download(`${this.fileName}.svg`, "image/svg+xml", this.drawSvg(1000));
    }

    async savePng() {
        const url = this.chart.getDataURL({type: "png", pixelRatio: 2, backgroundColor: makeTheme(themeName()).paper});
        const bytes = Uint8Array.from(atob(url.split(",")[1]), letter => letter.charCodeAt(0));
        download(`${this.fileName}.png`, "image/png", bytes);
    }

    saveCsv() {
        download(`${this.fileName}.csv`, "text/csv", writeCsv(this.drawer.csv(this.state)));
    }

    /* For print, from what is loaded: nothing can be waited for once the browser asks. */
    print() {
        const holder = this.element.querySelector(".print");
        if (!this.drawer) return;
        holder.innerHTML = this.drawSvg(PRINT_WIDTH);
    }
}

/* The height is the page's: ECharts would take it for that of each grid. */
function withoutHeight(option) {
    const {height, ...others} = option;
    return others;
}

/* Axis, grid and tooltip as all charts have them. */
function axisLook(theme, more = {}) {
    return {axisLine: {show: true, lineStyle: {color: theme.faint}}, axisTick: {lineStyle: {color: theme.faint}}, nameGap: 26, nameLocation: "middle",
            axisLabel: {color: theme.ink, fontSize: 11, hideOverlap: true, ...(more.axisLabel ?? {})}, nameTextStyle: {color: theme.faint, fontSize: 11},
            splitLine: {lineStyle: {color: theme.line, opacity: 0.6}}, ...Object.fromEntries(Object.entries(more).filter(([name]) => name !== "axisLabel"))};
}

function tooltipLook(theme, more = {}) {
    return {confine: true, transitionDuration: 0, backgroundColor: theme.paper, borderColor: theme.faint, padding: [5, 8],
            textStyle: {color: theme.ink, fontSize: 12}, extraCssText: "max-width:34rem;white-space:normal", ...more};
}

/* A line of a tooltip: what, and how much. */
function tipLine(name, value, colour = null) {
    const dot = colour ? `<span style="display:inline-block;width:.7em;height:.7em;border-radius:50%;background:${colour};margin-right:.4em"></span>` : "";
    return `<div style="display:flex;justify-content:space-between;gap:1.2em"><span>${dot}${escapeText(name)}</span><b>${escapeText(value)}</b></div>`;
}

function zoomOptions(state, count, axis = "xAxisIndex") {
    const [start, end] = state.zoom ?? [0, 100];
    return [{type: "inside", [axis]: [...Array(count).keys()], filterMode: "none", start, end, zoomOnMouseWheel: "ctrl", moveOnMouseMove: "shift",
             moveOnMouseWheel: false, preventDefaultMouseMove: false}];
}

/* Cuts a text to what so many pixels hold. */
function cut(text, pixels, size = 6.4) {
    const letters = Math.max(4, Math.floor(pixels / size));
    return text.length <= letters ? text : `${text.slice(0, Math.ceil(letters * 0.66) - 1)}…${text.slice(text.length - Math.floor(letters * 0.33))}`;
}
